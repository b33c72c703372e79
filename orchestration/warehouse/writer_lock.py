"""One writer (design, rule 7): two processes that swap the same relations would deadlock, so the second is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from orchestration.errors import InsightsError

LOCK_NAME = "orgo-insights-writer"


@contextmanager
def writer_lock(connection: psycopg.Connection) -> Iterator[None]:
    """Hold the database's writer lock; raises InsightsError, naming the holder, when another process has it.

    `connection` must be in autocommit mode and stay open: the lock is the session's, and dies with it.
    """
    row = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [LOCK_NAME]).fetchone()
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
            [LOCK_NAME],
        ).fetchone()
        raise InsightsError(
            f"Another process is writing to this warehouse: {holder[0] if holder else 'unknown'}."
            " Wait until it has finished."
        )
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [LOCK_NAME])
