"""One writer (design, rule 9): two processes that swap the same relations would deadlock, so the second is refused."""

from __future__ import annotations

from contextlib import AbstractContextManager

import psycopg

from orchestration.warehouse.session_lock import session_lock

LOCK_NAME = "orgo-insights-writer"


def writer_lock(connection: psycopg.Connection) -> AbstractContextManager[None]:
    """Hold the database's writer lock; raises BusyError, naming the holder, when another process has it.

    `connection` must be in autocommit mode and stay open: the lock is the session's, and dies with it.
    """
    return session_lock(connection, LOCK_NAME, "writing to this warehouse")
