"""How many exports one user runs at a time, on whatever machines: session advisory locks of the warehouse.

A lock knows no clock and dies with its session, so a killed export never holds a slot.
"""

from __future__ import annotations

from uuid import UUID

import psycopg

from orchestration.errors import InsightsError


def refuse_pooler(connection: psycopg.Connection) -> None:
    """Raise InsightsError when this is no session of PostgreSQL's own: a pooler makes up the key for cancelling.

    Behind a pooler in transaction mode, a lock would be held by whoever gets the server connection next. One in session
    mode would do, but cannot be told apart.
    """
    row = connection.execute("select pg_backend_pid()").fetchone()
    if row != (connection.info.backend_pid,):
        raise InsightsError(
            "INSIGHTS_WAREHOUSE_URL leads to a connection pooler, where the locks that count a user's exports mean"
            " nothing. Give exports the address of PostgreSQL itself."
        )


def take_slot(connection: psycopg.Connection, organization_id: UUID, user_id: UUID, slots: int) -> None:
    """Hold one of a user's slots until the session ends; raises InsightsError when all are taken."""
    for number in range(slots):
        if _try(connection, f"orgo-insights-export-slot {organization_id} {user_id} {number}"):
            return
    raise InsightsError(
        f"The user {user_id} already runs as many exports as exports.max_parallel_exports_per_user allows ({slots})."
        " Wait until one has finished."
    )


def mark_running(connection: psycopg.Connection, export_id: UUID) -> None:
    """Show until the session ends that this export is running."""
    _try(connection, _mark(export_id))


def running(connection: psycopg.Connection, export_ids: list[UUID]) -> set[UUID]:
    """Those of the exports whose session is alive."""
    rows = connection.execute(
        """
        select asked.export_id
        from unnest(%s::uuid[], %s::text[]) as asked (export_id, mark)
        inner join pg_locks as l on (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(asked.mark, 0)
        where
            l.locktype = 'advisory' and l.granted and l.objsubid = 1
            and l.database = (select oid from pg_database where datname = current_database())
        """,
        [export_ids, [_mark(export_id) for export_id in export_ids]],
    ).fetchall()
    return {export_id for (export_id,) in rows}


def _mark(export_id: UUID) -> str:
    return f"orgo-insights-export {export_id}"


def _try(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [name]).fetchone() == (True,)
