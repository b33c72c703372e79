"""The advisory lock of `insights init`, which PostgreSQL releases when the transaction ends.

Everything else takes a claim (claims.py), whose table `insights init` creates.
"""

from __future__ import annotations

import time

import psycopg

from orchestration.errors import BusyError

_HOLDER = """
    select
        format('process %%s (%%s, %%s, since %%s)', a.pid, a.usename, a.application_name, a.xact_start::timestamptz(0))
    from pg_locks as l
    inner join pg_stat_activity as a on l.pid = a.pid
    where
        l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(%s, 0)
"""


def transaction_lock(connection: psycopg.Connection, name: str, doing: str, seconds: float) -> None:
    """Hold the advisory lock `name` until the transaction of `connection` ends; waits for it for some seconds.

    `doing` describes the work of the holder, for messages. Raises BusyError, which names the holder, after that.
    """
    deadline = time.monotonic() + seconds
    query = "select pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
    while connection.execute(query, [name]).fetchone() != (True,):
        if time.monotonic() >= deadline:
            holder = connection.execute(_HOLDER, [name]).fetchone()
            raise BusyError(
                f"Another process is {doing}: {holder[0] if holder else 'unknown'}. Wait until it has finished."
            )
        time.sleep(0.1)
