"""Locks of which one session of the database holds one at a time, and which die with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from orchestration.errors import InsightsError


@contextmanager
def session_lock(connection: psycopg.Connection, name: str, doing: str) -> Iterator[None]:
    """Hold the database's lock `name`.

    `doing` says what its holder does, for messages. `connection` must be in autocommit mode and stay open: the lock is
    the session's, and dies with it. Raises InsightsError, naming the holder, when another process has it, and when the
    session has died meanwhile, so that another may have had it too.
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
        raise InsightsError(
            f"Another process is {doing}: {holder[0] if holder else 'unknown'}. Wait until it has finished."
        )
    try:
        yield
    finally:
        if not connection.closed:
            _unlock(connection, name, doing)


def _unlock(connection: psycopg.Connection, name: str, doing: str) -> None:
    try:
        connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [name])
    except psycopg.OperationalError as error:
        raise InsightsError(
            f"The database ended the session while this process was {doing}: {' '.join(str(error).split())}."
            " Run the same again: what was written whole stays, the rest is made anew."
        ) from error
