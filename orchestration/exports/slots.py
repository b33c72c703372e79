"""How many exports one user runs at a time, on whatever machines: session advisory locks of the warehouse.

A lock knows no clock and dies with its session, so a killed export never holds a slot.
"""

from __future__ import annotations

from uuid import UUID

from orchestration.errors import BusyError, MisconfiguredError
from orchestration.warehouse.database import Database


def refuse_pooler(db: Database) -> None:
    """Raise MisconfiguredError when this is no session of PostgreSQL's own: a pooler makes up the key for cancelling.

    Behind a pooler in transaction mode, a lock would be held by whoever gets the server connection next. One in session
    mode would do, but cannot be told apart.
    """
    if db.value("select pg_backend_pid()") != db.connection.info.backend_pid:
        raise MisconfiguredError(
            "INSIGHTS_WAREHOUSE_URL leads to a connection pooler, where the locks that count a user's exports mean"
            " nothing. Give exports the address of PostgreSQL itself."
        )


def take_slot(db: Database, organization_id: UUID, user_id: UUID, slots: int) -> None:
    """Hold one of a user's slots until the session ends; raises BusyError when all are taken."""
    for number in range(slots):
        if _try(db, f"orgo-insights-export-slot {organization_id} {user_id} {number}"):
            return
    raise BusyError(
        f"The user {user_id} already runs as many exports as exports.max_parallel_exports_per_user allows ({slots})."
        " Wait until one has finished."
    )


def mark_running(db: Database, export_id: UUID) -> None:
    """Show until the session ends that this export is running."""
    _try(db, _mark(export_id))


def running(db: Database, export_ids: list[UUID]) -> set[UUID]:
    """Those of the exports whose session is alive."""
    rows = db.rows(
        """
        select asked.export_id
        from unnest(%s::uuid[], %s::text[]) as asked (export_id, mark)
        inner join pg_locks as l on (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(asked.mark, 0)
        where
            l.locktype = 'advisory' and l.granted and l.objsubid = 1
            and l.database = (select oid from pg_database where datname = current_database())
        """,
        [export_ids, [_mark(export_id) for export_id in export_ids]],
    )
    return {export_id for (export_id,) in rows}


def _mark(export_id: UUID) -> str:
    return f"orgo-insights-export {export_id}"


def _try(db: Database, name: str) -> bool:
    return db.value("select pg_try_advisory_lock(hashtextextended(%s, 0))", [name]) is True
