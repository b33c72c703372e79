"""Advisory locks of the database, each held by one session; PostgreSQL releases them when the session ends.

They are used in place of lock files, because the processes may run on several machines.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from orchestration.errors import BusyError, UnavailableError
from orchestration.warehouse.translation import translating


@contextmanager
def session_lock(connection: psycopg.Connection, name: str, doing: str) -> Iterator[None]:
    """Hold the advisory lock `name` for a block.

    `doing` describes the work of the holder, for messages. `connection` must be in autocommit mode and stay open,
    because the lock belongs to its session. Raises BusyError with the holder if another process has the lock, and
    UnavailableError if the session has ended during the block, because another process may have had the lock too.
    """
    row = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [name]).fetchone()
    if row != (True,):
        raise _busy(connection, name, doing)
    try:
        yield
    finally:
        if not connection.closed:
            _unlock(connection, name, doing)


def transaction_lock(connection: psycopg.Connection, name: str, doing: str, seconds: float) -> None:
    """Hold the advisory lock `name` until the transaction of `connection` ends; waits for it for some seconds.

    `doing` describes the work of the holder, for messages. Raises BusyError, which names the holder, after that.
    """
    deadline = time.monotonic() + seconds
    query = "select pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
    while connection.execute(query, [name]).fetchone() != (True,):
        if time.monotonic() >= deadline:
            raise _busy(connection, name, doing)
        time.sleep(0.1)


def _busy(connection: psycopg.Connection, name: str, doing: str) -> BusyError:
    holder = connection.execute(
        """
        select format('process %%s (%%s, since %%s)', a.pid, a.application_name, a.backend_start::timestamptz(0))
        from pg_locks as l
        inner join pg_stat_activity as a on l.pid = a.pid
        where
            l.locktype = 'advisory' and l.granted and l.objsubid = 1
            and l.database = (select oid from pg_database where datname = current_database())
            and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(%s, 0)
        """,
        [name],
    ).fetchone()
    return BusyError(f"Another process is {doing}: {holder[0] if holder else 'unknown'}. Wait until it has finished.")


def _unlock(connection: psycopg.Connection, name: str, doing: str) -> None:
    ended = (
        f"The database ended the session while this process was {doing}: {{detail}}."
        " Run the same again: what was written whole stays, the rest is written again."
    )
    with translating({UnavailableError: ended}):
        connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [name])
