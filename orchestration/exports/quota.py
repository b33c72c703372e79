"""Limits the rows that one user exports on one UTC day, counted from the audit (decision D161)."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from psycopg import sql

from orchestration.errors import RefusedError
from orchestration.exports.slots import lock_slots
from orchestration.warehouse.database import Database

# An export that failed counts only if it has a checksum: its file is complete, but its end could not be recorded.
_USED = """
    select
        to_char(today.starts_at at time zone 'UTC', 'YYYY-MM-DD'),
        to_char((today.starts_at at time zone 'UTC') + interval '1 day', 'YYYY-MM-DD'),
        coalesce((
            select sum(s.row_count)
            from {audit} as s
            where
                s.event = 'started'
                and lower(s.requested_by) = %(user)s
                and s.logged_at >= today.starts_at
                and not exists (
                    select from {audit} as e
                    where e.export_id = s.export_id and e.event = 'failed' and e.sha256 is null
                )
        ), 0)
    from (select date_trunc('day', clock_timestamp(), 'UTC') as starts_at) as today
"""


def quota_check(organization_id: UUID, user_id: UUID, rows: int, most: int | None) -> Callable[[Database], None]:
    """Return the check that a user may export `rows` more today, of at most `most`; None is no limit.

    The check must run in the transaction that writes the start of the export. It waits for other exports of the user
    that are starting, so that two together cannot exceed the limit. Raises RefusedError.
    """

    def check(db: Database) -> None:
        if most is None:
            return
        lock_slots(db, organization_id, user_id)
        query = sql.SQL(_USED).format(audit=db.ops("export_audit"))
        [(today, tomorrow, used)] = db.rows(query, {"user": str(user_id)})
        if used + rows > most:
            raise RefusedError(
                f"The export has {rows:,} rows, but the user {user_id} has already exported {used:,} of the {most:,}"
                f" rows that exports.max_rows_per_user_per_day allows on {today} (UTC). Nothing was written. Request a"
                f" shorter range, or export after {tomorrow} 00:00 UTC."
            )

    return check
