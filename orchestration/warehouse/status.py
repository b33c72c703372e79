"""What the warehouse holds: rows per mart, what was set aside or flagged and why, where the source drifts."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import InsightsError


@dataclass(frozen=True)
class Status:
    """Counts for a person to read; each list is (name, ..., rows)."""

    as_of: str
    marts: list[tuple[str, int]]
    set_aside: list[tuple[str, str, int]]
    flagged: list[tuple[str, str, int]]
    drift: list[tuple[str, str, str]]


def read_status(connection: psycopg.Connection, settings: Settings) -> Status:
    """Read the state of the warehouse; raises InsightsError when nothing has been built yet."""
    marts, ops = settings.insights.warehouse.schema_name, f"{settings.insights.warehouse.schema_name}_ops"
    try:
        names = connection.execute(
            "select tablename from pg_tables where schemaname = %s order by tablename", [marts]
        ).fetchall()
        (as_of,) = connection.execute(
            sql.SQL("select max(as_of)::text from {}").format(sql.Identifier(ops, "load_log"))
        ).fetchone() or (None,)
        findings = sql.SQL(
            "select relation_name, finding, sum(row_count)::bigint from {} where is_loaded = %s"
            " group by 1, 2 order by 1, 2"
        ).format(sql.Identifier(ops, "data_quality"))
        return Status(
            as_of=as_of or "never",
            marts=[(name, _count(connection, marts, name)) for (name,) in names],
            set_aside=connection.execute(findings, [False]).fetchall(),
            flagged=connection.execute(findings, [True]).fetchall(),
            drift=connection.execute(
                sql.SQL("select table_name || '.' || column_name, drift, actual_type from {} order by 1").format(
                    sql.Identifier(ops, "source_drift")
                )
            ).fetchall(),
        )
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise InsightsError("Nothing has been built here yet. Run: insights init, then insights build") from error


def _count(connection: psycopg.Connection, schema: str, name: str) -> int:
    row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, name))).fetchone()
    return int(row[0]) if row else 0
