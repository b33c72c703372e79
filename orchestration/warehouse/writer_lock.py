"""The lock of the one writer (design, rule 9), because two processes that swap the same relations would deadlock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from orchestration.errors import BusyError
from orchestration.warehouse.session_lock import session_lock

LOCK_NAME = "orgo-insights-writer"
# The application name of the sessions in which dbt writes; the session that holds the lock is another one.
LOADING = "orgo-insights-load"
# Seconds to wait for sessions of a load whose process is gone. PostgreSQL ends them within the
# client_connection_check_interval that `insights init` sets for the ETL role.
PATIENCE = 15


@contextmanager
def writer_lock(connection: psycopg.Connection) -> Iterator[None]:
    """Hold the writer lock for a block.

    `connection` must be in autocommit mode and stay open, because the lock belongs to its session. Raises BusyError
    with the holder if another process has the lock, or if a load that was killed still has a statement running.
    """
    with session_lock(connection, LOCK_NAME, "writing to this warehouse"):
        _wait_for_killed_load(connection)
        yield


def _wait_for_killed_load(connection: psycopg.Connection) -> None:
    """Wait until no session of an earlier load is left. Its process is gone, or it would hold the lock (D136)."""
    deadline = time.monotonic() + PATIENCE
    while left := _sessions(connection):
        if time.monotonic() >= deadline:
            raise BusyError(
                f"A load whose process has ended still has a statement running in the database: process"
                f" {', '.join(map(str, left))}. Wait until it has ended, or end it:"
                f" select pg_terminate_backend({left[0]});"
            )
        time.sleep(0.1)


def _sessions(connection: psycopg.Connection) -> list[int]:
    rows = connection.execute(
        """
        select pid
        from pg_stat_activity
        where datname = current_database() and usename = current_user and application_name = %s
        order by backend_start
        """,
        [LOADING],
    ).fetchall()
    return [pid for (pid,) in rows]
