"""Reads the state of the warehouse: rows per mart, rejected and flagged rows by reason, drift of the source."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from orchestration.errors import InsightsError
from orchestration.warehouse.database import Database
from orchestration.warehouse.source_rows import rows_behind


@dataclass(frozen=True)
class Status:
    """The state of the warehouse.

    `marts` is (name, rows); `rejected` and `flagged` are (relation, finding, rows); `drift` is (column, drift, type);
    `behind` is (operational table, rows, rows before `cutoff`), where `cutoff` is that of raw events; it is empty, and
    `source_error` says why, if the operational tables cannot be read.
    """

    as_of: str
    marts: list[tuple[str, int]]
    rejected: list[tuple[str, str, int]]
    flagged: list[tuple[str, str, int]]
    drift: list[tuple[str, str, str]]
    cutoff: str
    behind: list[tuple[str, int, int]]
    source_error: str | None


def read_status(db: Database) -> Status:
    """Return the state of the warehouse; raises NotPreparedError or NotBuiltError if nothing has been built."""
    names = db.rows("select tablename from pg_tables where schemaname = %s order by tablename", [db.names.marts_schema])
    as_of = db.value(sql.SQL("select max(as_of)::text from {}").format(db.ops("load_log")))
    findings = sql.SQL(
        "select relation_name, finding, sum(row_count)::bigint from {} where is_loaded = %s group by 1, 2 order by 1, 2"
    ).format(db.ops("data_quality"))
    drift = sql.SQL("select table_name || '.' || column_name, drift, actual_type from {} order by 1")
    cutoff = db.value(sql.SQL("select {}('raw_event', '-infinity', 0)::text").format(db.ops("retention_cutoff")))
    behind, source_error = _behind(db, cutoff)
    return Status(
        as_of=as_of or "never",
        marts=[(name, db.value(sql.SQL("select count(*) from {}").format(db.mart(name)))) for (name,) in names],
        rejected=db.rows(findings, [False]),
        flagged=db.rows(findings, [True]),
        drift=db.rows(drift.format(db.ops("source_drift"))),
        cutoff=cutoff,
        behind=behind,
        source_error=source_error,
    )


def _behind(db: Database, cutoff: str) -> tuple[list[tuple[str, int, int]], str | None]:
    """Return the rows that are behind a cutoff, and None; or none, and why the source cannot be read."""
    try:
        return rows_behind(db.saying({InsightsError: "{detail}"}), cutoff), None
    except InsightsError as error:
        return [], str(error)
