"""Locks that end with their transaction, and that are never waited for without end.

The advisory lock is for work on a database that `insights init` may not have prepared; everything else takes a claim
(claims.py), whose table that command creates. Every role may take advisory locks, so the message names who holds one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psycopg

from orchestration.errors import BusyError
from orchestration.warehouse.database import Database

Result = TypeVar("Result")

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

_IN_TRANSACTIONS = """
    select format('process %s (role %s, application %s)', pid, usename, application_name)
    from pg_catalog.pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
    order by xact_start
    limit 5
"""


def retried(db: Database, seconds: float, work: Callable[[], Result]) -> Result:
    """Do `work`, one transaction with a short `lock_timeout`, again while others hold what it locks, for some seconds.

    Between two attempts, those that queued behind it go first. Raises BusyError, which names the sessions that are in a
    transaction, after that time.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return work()
        except BusyError as error:
            if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                raise
            if time.monotonic() >= deadline:
                holders = ", ".join(holder for (holder,) in db.rows(_IN_TRANSACTIONS))
                raise error.extended(f"Sessions in a transaction: {holders or 'none any more'}.") from error
        time.sleep(1)


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
