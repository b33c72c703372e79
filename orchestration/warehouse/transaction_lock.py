"""Advisory locks that PostgreSQL releases when the transaction ends, and that are never waited for without end.

For work on a database that `insights init` may not have prepared; everything else takes a claim (claims.py), whose
table that command creates. Every role may take advisory locks, so the message names the session that holds one.
"""

from __future__ import annotations

import time

import psycopg

from orchestration.errors import BusyError

# A prepared transaction holds its locks without a process.
_HOLDERS = """
    select string_agg(
        case
            when l.pid is null then 'a prepared transaction'
            else format(
                'process %%s (role %%s, application %%s)', l.pid, coalesce(a.usename, 'unknown'),
                coalesce(nullif(a.application_name, ''), 'unknown')
            )
        end,
        ', ' order by l.pid
    )
    from pg_catalog.pg_locks as l
    left join pg_catalog.pg_stat_activity as a on l.pid = a.pid
    where
        l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
        and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(%s, 0)
"""


def transaction_lock(connection: psycopg.Connection, name: str, doing: str, seconds: float) -> None:
    """Hold the advisory lock `name` until the transaction of `connection` ends; waits for it for some seconds.

    `doing` is the work that the lock protects, for messages. Raises BusyError, which names the holder, after that time.
    """
    deadline = time.monotonic() + seconds
    query = "select pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
    while connection.execute(query, [name]).fetchone() != (True,):
        if time.monotonic() >= deadline:
            (holders,) = connection.execute(_HOLDERS, [name]).fetchone() or (None,)
            raise BusyError(
                f"Another session holds the lock for {doing}: {holders or 'one that has just ended'}. Wait until it has"
                " finished, or end it with pg_terminate_backend if it does something else."
            )
        time.sleep(0.1)
