"""Limits the parallel exports of one user, over all machines, with claims in the warehouse.

A claim ends with its session, without a timeout, so that a killed export never holds a slot.
"""

from __future__ import annotations

from uuid import UUID

from psycopg import sql

from orchestration.errors import BusyError
from orchestration.warehouse.claims import forget_ended, take, taken
from orchestration.warehouse.database import Database

MARK = "running export "
# Apart from the claims of writers, which the role of exports may not touch (decision D174).
CLAIMS = "export_claims"


def take_slot(db: Database, organization_id: UUID, user_id: UUID, slots: int) -> None:
    """Take one of a user's slots until the end of the session; raises BusyError if all are taken."""
    for number in range(slots):
        if take(db, _slot(organization_id, user_id, number), CLAIMS) is not None:
            return
    raise BusyError(
        f"The user {user_id} already runs as many exports as exports.max_parallel_exports_per_user allows ({slots})."
        " Wait until one has finished."
    )


def lock_slots(db: Database, organization_id: UUID, user_id: UUID) -> None:
    """Let other exports of a user wait at this call until the transaction ends; the user must have taken a slot."""
    query = sql.SQL("select from {} where claim_name = %s for update").format(db.ops(CLAIMS))
    # A user's first slot always has a row, also if another of the slots is in use.
    db.execute(query, [_slot(organization_id, user_id, 0)])


def mark_running(db: Database, export_id: UUID) -> None:
    """Mark this export as running until the end of the session."""
    forget_ended(db, MARK, CLAIMS)
    take(db, _mark(export_id), CLAIMS)


def running(db: Database, export_ids: list[UUID]) -> set[UUID]:
    """Return the exports whose session is alive."""
    marks = {_mark(export_id): export_id for export_id in export_ids}
    return {marks[mark] for mark in taken(db, marks, CLAIMS)}


def _slot(organization_id: UUID, user_id: UUID, number: int) -> str:
    return f"export slot {organization_id} {user_id} {number}"


def _mark(export_id: UUID) -> str:
    return f"{MARK}{export_id}"
