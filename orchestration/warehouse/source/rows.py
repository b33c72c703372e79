"""Counts the rows of the operational tables, and those of events on each side of a retention cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from psycopg import sql

from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.database import Database
from orchestration.warehouse.source.fingerprints import COMPARED, UNKNOWN, Fingerprints, IdSums

# The tables whose rows are dated raw events, and the column with their date.
DATED = {"tasks": "created_at", "cases": "created_at", "wellbeing_checkins": "created_at"}
# A column that has drifted to another type is not compared with a cutoff.
ZONED = "timestamp with time zone"
COMPARABLE = (ZONED, "timestamp without time zone", "date")


@dataclass(frozen=True)
class SourceRows:
    """The rows of one operational table.

    `kept_before` and `kept` are the rows that are not behind an earlier and a later retention cutoff; both are 0 for a
    table without a date. `newest_at` is the time of its newest change up to now, None for a table that may rest for
    weeks. `id_sums` are for its fingerprint.
    """

    table: str
    total: int
    kept_before: int
    kept: int
    newest_at: datetime | None
    id_sums: IdSums = UNKNOWN


def cutoffs(db: Database, as_of: date) -> tuple[str, str]:
    """Return the cutoff of raw events in force, and the one that a load as of a day uses, as dates or `-infinity`."""
    days = db.settings.insights.retention.raw_event_retention_days.of(db.settings.environment)
    query = sql.SQL(
        """
        select
            {cutoff}('raw_event', '-infinity', 0)::text,
            {cutoff}('raw_event', greatest(%(as_of)s::date, (
                select max(horizon) from {log} where relation_name = any({relations}())
            )), %(days)s)::text
        """
    ).format(cutoff=db.ops("retention_cutoff"), log=db.ops("load_log"), relations=db.ops("raw_event_relations"))
    (before, after) = db.rows(query, {"as_of": as_of, "days": days})[0]
    return before, after


def source_rows(db: Database, before: str, after: str, fingerprints: Fingerprints | None = None) -> list[SourceRows]:
    """Return the rows of every operational table, with one pass over each."""
    return [
        _count(db, table.name, before, after, changed_at=table.changed_at, fingerprints=fingerprints)
        for table in contract_tables()
    ]


def row_counts(db: Database) -> dict[str, int]:
    """Return the number of rows of every operational table."""
    return {table.name: _total(db, table.name) for table in contract_tables()}


def rows_behind(db: Database, cutoff: str) -> list[tuple[str, int, int]]:
    """Return the tables of dated events, each with its rows and with how many are behind a cutoff."""
    found = [_count(db, table, "-infinity", cutoff) for table in DATED]
    return [(rows.table, rows.total, rows.kept_before - rows.kept) for rows in found]


def _count(  # noqa: PLR0913 - all but four are optional, and given by name
    db: Database,
    table: str,
    before: str,
    after: str,
    *,
    changed_at: str | None = None,
    fingerprints: Fingerprints | None = None,
) -> SourceRows:
    """Return the rows of a table, with those from each of two UTC dates on, and the newest change by a column."""
    counted, changed = _comparable(db, table, DATED.get(table)), _comparable(db, table, changed_at)
    # Literals, which postgres_fdw passes on, so that the other server counts.
    columns = [
        sql.SQL("count(*)"),
        *(_counted_from(counted, day) for day in (before, after)),
        _newest(db, changed),
        *(_id_sums(db, table, fingerprints) if fingerprints else ()),
    ]
    query = sql.SQL("select {} from {}").format(sql.SQL(", ").join(columns), db.source(table))
    total, first, second, newest, *sums = db.rows(query)[0]
    return SourceRows(table, total, first, second, newest, IdSums(*sums) if sums else UNKNOWN)


def _id_sums(db: Database, table: str, fingerprints: Fingerprints) -> list[sql.Composable]:
    """Return the columns for the fingerprint of a table; none if it has none, or if its id or date has another type."""
    compared = COMPARED.get(table)
    if compared is None or {_type(db, table, column) for column in compared.hashed} != {"uuid"}:
        return []
    created = _comparable(db, table, compared.created)
    return [] if compared.created and created is None else fingerprints.sums(table, created)


def _newest(db: Database, changed: sql.Composable | None) -> sql.Composable:
    """Return the newest time up to now: one row that is dated in the future would hide a source that has stopped."""
    if changed is None:
        return sql.SQL("null::timestamptz")
    now = sql.Literal(db.value("select clock_timestamp()::text"))
    return sql.SQL("max({changed}) filter (where {changed} <= {now}::timestamptz)").format(changed=changed, now=now)


def _counted_from(column: sql.Composable | None, day: str) -> sql.Composable:
    if column is None:
        return sql.SQL("0")
    moment = sql.SQL("{}::timestamptz").format(sql.Literal(_midnight(day)))
    return sql.SQL("count(*) filter (where {} >= {})").format(column, moment)


def _comparable(db: Database, table: str, column: str | None) -> sql.Composable | None:
    """Return a column as a moment, None if there is none or if it has drifted to a type that is no time.

    One that has drifted to a type without a time zone is in UTC, whatever the zone of the server.
    """
    found = _type(db, table, column) if column else None
    if column is None or found not in COMPARABLE:
        return None
    name = sql.Identifier(column)
    return name if found == ZONED else sql.SQL("({}::timestamp at time zone 'UTC')").format(name)


def _total(db: Database, table: str) -> int:
    return int(db.value(sql.SQL("select count(*) from {}").format(db.source(table))))


def _type(db: Database, table: str, column: str) -> str | None:
    query = "select format_type(atttypid, null) from pg_attribute where attrelid = %s::regclass and attname = %s"
    found: str | None = db.value(query, [db.source(table).as_string(db.connection), column])
    return found


def _midnight(day: str) -> str:
    return day if day.endswith("infinity") else f"{day} 00:00:00+00"
