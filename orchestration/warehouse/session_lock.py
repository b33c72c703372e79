"""Locks of which one session of the database holds one at a time, and which die with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from orchestration.errors import BusyError, UnavailableError
from orchestration.warehouse.translation import translating


@contextmanager
def session_lock(connection: psycopg.Connection, name: str, doing: str) -> Iterator[None]:
    """Hold the database's lock `name`.

    `doing` says what its holder does, for messages. `connection` must be in autocommit mode and stay open: the lock is
    the session's, and dies with it. Raises BusyError, naming the holder, when another process has it, and
    UnavailableError when the session has ended meanwhile, so that another may have had it too.
    """
    row = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [name]).fetchone()
    if row != (True,):
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
        raise BusyError(
            f"Another process is {doing}: {holder[0] if holder else 'unknown'}. Wait until it has finished."
        )
    try:
        yield
    finally:
        if not connection.closed:
            _unlock(connection, name, doing)


def _unlock(connection: psycopg.Connection, name: str, doing: str) -> None:
    ended = (
        f"The database ended the session while this process was {doing}: {{detail}}."
        " Run the same again: what was written whole stays, the rest is written again."
    )
    with translating({UnavailableError: ended}):
        connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [name])
