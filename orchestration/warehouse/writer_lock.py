"""The lock of the one writer (design, rule 9), because two processes that swap the same relations would deadlock."""

from __future__ import annotations

from contextlib import AbstractContextManager

import psycopg

from orchestration.warehouse.session_lock import session_lock

LOCK_NAME = "orgo-insights-writer"


def writer_lock(connection: psycopg.Connection) -> AbstractContextManager[None]:
    """Return a context that holds the writer lock; raises BusyError with the holder if another process has it.

    `connection` must be in autocommit mode and stay open, because the lock belongs to its session.
    """
    return session_lock(connection, LOCK_NAME, "writing to this warehouse")
