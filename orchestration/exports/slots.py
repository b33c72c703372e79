"""Limits the parallel exports of one user, over all machines, with session advisory locks of the warehouse.

A lock ends with its session, without a timeout, so that a killed export never holds a slot.
"""

from __future__ import annotations

from uuid import UUID

from orchestration.errors import BusyError, MisconfiguredError
from orchestration.warehouse.database import Database


def refuse_pooler(db: Database) -> None:
    """Raise MisconfiguredError if the connection goes through a pooler, which shows in the pid of its cancel key.

    Behind a pooler in transaction mode, the next client of the server connection would hold the lock. Session mode
    would be safe, but cannot be distinguished.
    """
    if db.value("select pg_backend_pid()") != db.connection.info.backend_pid:
        raise MisconfiguredError(
            "INSIGHTS_WAREHOUSE_URL leads to a connection pooler, which breaks the locks that count a user's exports."
            " Set the address of PostgreSQL itself for exports."
        )


def take_slot(db: Database, organization_id: UUID, user_id: UUID, slots: int) -> None:
    """Take one of a user's slots until the end of the session; raises BusyError if all are taken."""
    for number in range(slots):
        if _try(db, f"orgo-insights-export-slot {organization_id} {user_id} {number}"):
            return
    raise BusyError(
        f"The user {user_id} already runs as many exports as exports.max_parallel_exports_per_user allows ({slots})."
        " Wait until one has finished."
    )


def mark_running(db: Database, export_id: UUID) -> None:
    """Mark this export as running until the end of the session."""
    _try(db, _mark(export_id))


def running(db: Database, export_ids: list[UUID]) -> set[UUID]:
    """Return the exports whose session is alive."""
    rows = db.rows(
        """
        select given.export_id
        from unnest(%s::uuid[], %s::text[]) as given (export_id, mark)
        inner join pg_locks as l on (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(given.mark, 0)
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
