"""Stops a load that would act on a source that has lost rows, or on a wrong day (decisions D142 and D143)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from orchestration.config.model import Etl
from orchestration.errors import RefusedError
from orchestration.warehouse.database import Database
from orchestration.warehouse.loads import check_source
from orchestration.warehouse.source.fingerprints import Fingerprints
from orchestration.warehouse.source.rows import SourceRows, cutoffs, row_counts, source_rows

# Every row of an organization that is missing from this table is rejected, however few organizations there are.
OWNERS = "organizations"
# A table of one row may lose it: that is an ordinary deletion.
FEWEST_ROWS = 2


@dataclass(frozen=True)
class Confirmed:
    """What an operator has confirmed for one load: that rows are deleted, that most rows are out of retention."""

    vanished: bool = False
    cutoff: bool = False


@dataclass(frozen=True)
class Comparison:
    """How to say that rows have vanished: `sentence` with {share}, and `counts` of a table with {before} and {now}."""

    sentence: str
    counts: str


SINCE_LAST_LOAD = Comparison(
    "Since the last load, more than {share} of the rows have vanished from", "before: {before}, now: {now}"
)


def check_source_rows(db: Database, as_of: date, confirmed: Confirmed, claim: int | None = None) -> None:
    """Compare the rows of the operational tables with those at the start of the last load, then store them.

    It makes one pass over each operational table. `as_of` is the day of the load, `claim` the number of the writer lock
    with which it writes: then the fingerprints of the tables are stored too. Raises RefusedError, and stores nothing,
    if too many rows have vanished or would be left behind the retention cutoff, unless that is confirmed; also raises
    like `check_source`.
    """
    check_source(db)
    before, after = cutoffs(db, as_of)
    fingerprints = Fingerprints.of(db, as_of) if claim else None
    found, known, etl = source_rows(db, before, after, fingerprints), _known(db), db.settings.insights.etl
    totals = {rows.table: rows.total for rows in found}
    if not confirmed.vanished and (lost := vanished(totals, known, etl)):
        raise RefusedError(
            f"{lost} No relation was changed, because a missing row counts as deleted. Likely reasons: a policy"
            " (row-level security) on the table or on the table behind a view, a truncated table, an unfinished"
            " restore, another insights.source.schema. If the rows were deleted on purpose, confirm it once: insights"
            " build --accept-vanished, or the parameter accept_vanished of the DAG."
        )
    if not confirmed.cutoff:
        _check_cutoff(found, after, etl)
    with db.errors(), db.connection.transaction():
        _store(db, found)
        if fingerprints and claim:
            fingerprints.store(db, claim, {rows.table: rows.id_sums for rows in found})


def vanished_rows(db: Database) -> str | None:
    """Return a sentence that names the tables that have lost too many rows since the last load; None if none has."""
    return vanished(row_counts(db), _known(db), db.settings.insights.etl)


def _known(db: Database) -> dict[str, int]:
    return dict(db.rows(sql.SQL("select table_name, row_count from {}").format(db.ops("source_counts"))))


def vanished(
    totals: Mapping[str, int], known: Mapping[str, int], etl: Etl, compared: Comparison = SINCE_LAST_LOAD
) -> str | None:
    """Return a sentence about the tables that have lost too many rows, of all organizations together.

    `totals` are the rows now and `known` those before, by table; `compared` says what they are.
    """
    lost = [table for table, now in totals.items() if _has_vanished(table, known.get(table, 0), now, etl)]
    if not lost:
        return None
    each = [f"{table} ({compared.counts.format(before=known[table], now=totals[table])})" for table in lost]
    return f"{compared.sentence.format(share=f'{etl.max_vanished_share:.0%}')}: {', '.join(each)}."


def _has_vanished(table: str, before: int, now: int, etl: Etl) -> bool:
    vanished = before - now
    if not now:
        return before >= (1 if table == OWNERS else FEWEST_ROWS)
    fewest = FEWEST_ROWS if table == OWNERS else etl.min_vanished_rows
    return vanished >= fewest and vanished > etl.max_vanished_share * before


def _check_cutoff(found: Sequence[SourceRows], cutoff: str, etl: Etl) -> None:
    """Raise RefusedError if the load would move the cutoff past most of the rows that are not behind it yet."""
    kept_before, kept = sum(rows.kept_before for rows in found), sum(rows.kept for rows in found)
    behind = kept_before - kept
    if behind < etl.min_vanished_rows or behind <= etl.max_share_behind_cutoff * kept_before:
        return
    tables = ", ".join(rows.table for rows in found if rows.kept_before)
    raise RefusedError(
        f"This load would put {behind} of {kept_before} rows ({tables}) out of retention: they are from before"
        f" {cutoff}, and no later load takes them in, because this cutoff never moves back. No relation was changed."
        " If the day is wrong, give the right one (--as-of, or the parameter as_of of the DAG) or correct the clock. If"
        " it is right, confirm it once: insights build --accept-cutoff, or the parameter accept_cutoff of the DAG."
    )


def _store(db: Database, found: Sequence[SourceRows]) -> None:
    statement = sql.SQL(
        """
        insert into {} as stored (table_name, row_count, newest_at) values (%s, %s, %s)
        on conflict (table_name) do update set
            row_count = excluded.row_count,
            counted_at = excluded.counted_at,
            newest_at = excluded.newest_at
        """
    ).format(db.ops("source_counts"))
    for rows in found:
        db.execute(statement, [rows.table, rows.total, rows.newest_at])
