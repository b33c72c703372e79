"""Counts the rows of the operational tables, and those of events on each side of a retention cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from psycopg import sql

from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.database import Database

# The tables whose rows are dated raw events, and the column with their date.
DATED = {"tasks": "created_at", "cases": "created_at", "wellbeing_checkins": "created_at"}
# A column that has drifted to another type is not compared with a cutoff.
COMPARABLE = ("timestamp with time zone", "timestamp without time zone", "date")


@dataclass(frozen=True)
class SourceRows:
    """The rows of one operational table.

    `kept_before` and `kept` are the rows that are not behind an earlier and a later retention cutoff; both are 0 for a
    table without a date.
    """

    table: str
    total: int
    kept_before: int
    kept: int


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


def source_rows(db: Database, before: str, after: str) -> list[SourceRows]:
    """Return the rows of every operational table, with one pass over each."""
    return [SourceRows(table.name, *_count(db, table.name, before, after)) for table in contract_tables()]


def row_counts(db: Database) -> dict[str, int]:
    """Return the number of rows of every operational table."""
    return {table.name: _total(db, table.name) for table in contract_tables()}


def rows_behind(db: Database, cutoff: str) -> list[tuple[str, int, int]]:
    """Return the tables of dated events, each with its rows and with how many are behind a cutoff."""
    found = [(table, *_count(db, table, "-infinity", cutoff)) for table in DATED]
    return [(table, total, dated - kept) for table, total, dated, kept in found]


def _count(db: Database, table: str, before: str, after: str) -> tuple[int, int, int]:
    """Return the rows of a table, and those from each of two UTC dates on."""
    column = DATED.get(table)
    if column is None or _type(db, table, column) not in COMPARABLE:
        return _total(db, table), 0, 0
    # Literals, which postgres_fdw passes on, so that the other server counts.
    query = sql.SQL("select count(*), count(*) filter (where {c} >= {a}), count(*) filter (where {c} >= {b}) from {t}")
    a, b = (sql.SQL("{}::timestamptz").format(sql.Literal(_midnight(day))) for day in (before, after))
    (total, first, second) = db.rows(query.format(c=sql.Identifier(column), a=a, b=b, t=db.source(table)))[0]
    return total, first, second


def _total(db: Database, table: str) -> int:
    return int(db.value(sql.SQL("select count(*) from {}").format(db.source(table))))


def _type(db: Database, table: str, column: str) -> str | None:
    query = "select format_type(atttypid, null) from pg_attribute where attrelid = %s::regclass and attname = %s"
    found: str | None = db.value(query, [db.source(table).as_string(db.connection), column])
    return found


def _midnight(day: str) -> str:
    return day if day.endswith("infinity") else f"{day} 00:00:00+00"
