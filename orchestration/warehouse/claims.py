"""Claims: what only one session may do at a time, in a table that only the ETL role may write (decision D148).

They are used in place of lock files, because the processes may run on several machines, and in place of advisory locks,
because every role may take those. A claim is free when it was released or when the session that took it has ended. Its
number grows with each holder, so that a transaction can prove that its process still holds the claim.
"""

from __future__ import annotations

import os
import shlex
import socket
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql

from orchestration.errors import BusyError, MisconfiguredError
from orchestration.warehouse.database import Database

# Time to wait for transactions that a former holder has left behind. PostgreSQL ends those of a killed process within
# the client_connection_check_interval that `insights init` sets for the ETL role (decision D136).
PATIENCE = "15s"
# The table of the claims of writers.
CLAIMS = "claims"
# Characters of a command line that are kept.
COMMAND_LENGTH = 300

_TAKE = """
    insert into {claims} as c
        (claim_name, claim_number, backend_pid, backend_start, database_user, application_name, command)
    select
        %(name)s, nextval(%(numbers)s::regclass), pid, backend_start, session_user, application_name, %(command)s
    from pg_stat_activity
    where pid = pg_backend_pid()
    on conflict (claim_name) do update set
        claim_number = excluded.claim_number,
        backend_pid = excluded.backend_pid,
        backend_start = excluded.backend_start,
        database_user = excluded.database_user,
        application_name = excluded.application_name,
        command = excluded.command,
        claimed_at = clock_timestamp(),
        released_at = null
    where not {is_held}(c)
    returning claim_number
"""
_HOLDER = """
    select
        format(
            'process %%s (%%s, %%s, since %%s, %%s)',
            c.backend_pid, c.database_user, c.application_name, c.claimed_at::timestamptz(0), c.command
        )
    from {claims} as c
    where c.claim_name = %(name)s and {is_held}(c)
"""
_RELEASE = "update {claims} set released_at = clock_timestamp() where claim_name = %s and claim_number = %s"
_TAKEN = "select c.claim_name from {claims} as c where c.claim_name = any(%s) and {is_held}(c)"
_FORGET = "delete from {claims} as c where starts_with(c.claim_name, %s) and not {is_held}(c)"
_LEFT = """
    select
        a.pid,
        format('process %%s (%%s, %%s, since %%s)', a.pid, a.usename, a.application_name, a.xact_start::timestamptz(0))
    from pg_locks as l
    inner join pg_stat_activity as a on l.pid = a.pid
    where l.relation = %(claims)s::regclass and l.granted and l.mode <> 'AccessShareLock' and l.pid <> pg_backend_pid()
    order by a.xact_start
"""


@contextmanager
def held(db: Database, name: str, doing: str, seconds: float = 0) -> Iterator[int]:
    """Hold the claim `name` for a block; yields its number.

    `doing` describes the work of the holder, for messages; `seconds` is how long another holder is waited for.
    The connection of `db` must be in autocommit mode and stay open, because the claim belongs to its session; it must
    not lead to a pooler. If that session ends during the block, another process can take the claim, and the proofs of
    this one fail (`prove_claim` in the database). Raises BusyError with the holder if another process has the claim, or
    if transactions of a former holder still run.
    """
    deadline = time.monotonic() + seconds
    while (number := take(db, name)) is None and time.monotonic() < deadline:
        time.sleep(1)
    if number is None:
        holder = db.value(_statement(db, _HOLDER), {"name": name})
        raise BusyError(f"Another process is {doing}: {holder or 'it has just ended'}. Wait until it has finished.")
    try:
        yield number
    finally:
        # The claim of a session that has ended is free. What was written was proven by each transaction.
        with suppress(psycopg.Error):
            db.connection.execute(_statement(db, _RELEASE), [name, number])


def take(db: Database, name: str, table: str = CLAIMS) -> int | None:
    """Take the claim `name` until the end of the session; returns its number, or None if another session holds it.

    `table` of the bookkeeping has the claims. Raises BusyError if transactions of a former holder still run, and
    MisconfiguredError behind a pooler.
    """
    refuse_pooler(db)
    if db.value(_statement(db, _HOLDER, table), {"name": name}):
        return None
    db.execute("set idle_session_timeout to 0")  # the session is idle while others write
    parameters = {"name": name, "numbers": db.ops("claim_numbers").as_string(), "command": _command()}
    try:
        with db.connection.transaction():
            db.connection.execute(f"set local lock_timeout to '{PATIENCE}'")
            row = db.connection.execute(_statement(db, _TAKE, table), parameters).fetchone()
    except psycopg.errors.LockNotAvailable as error:
        raise _left_behind(db, table) from error
    except psycopg.Error:
        with db.errors():
            raise
    return row[0] if row else None


def taken(db: Database, names: Collection[str], table: str) -> set[str]:
    """Return those of `names` whose claim in `table` a living session holds."""
    return {name for (name,) in db.rows(_statement(db, _TAKEN, table), [list(names)])}


def forget_ended(db: Database, prefix: str, table: str) -> None:
    """Delete the free claims of `table` whose name begins with `prefix`; only for claims that no transaction proves."""
    db.execute(_statement(db, _FORGET, table), [prefix])


def refuse_pooler(db: Database) -> None:
    """Raise MisconfiguredError if the connection goes through a pooler, which shows in the pid of its cancel key.

    Behind a pooler in transaction mode, the next client of the server connection would hold the claim. Session mode
    would be safe, but cannot be distinguished.
    """
    if db.value("select pg_backend_pid()") != db.connection.info.backend_pid:
        raise MisconfiguredError(
            "The address of the database (INSIGHTS_WAREHOUSE_URL, INSIGHTS_EXPORT_WAREHOUSE_URL for exports, if that is"
            " set, INSIGHTS_ADMIN_URL or --admin-url for insights init) leads to a connection pooler, behind which two"
            " processes can share a session, and both would have the claim that only one may have. Set the address of"
            " PostgreSQL itself."
        )


def _left_behind(db: Database, table: str) -> BusyError:
    """Return the error that names the transactions which a former holder has left behind."""
    found = db.rows(_LEFT, {"claims": db.ops(table).as_string()})
    if not found:
        return BusyError("Transactions of a former holder have just ended. Try again.")
    return BusyError(
        f"A load whose process has ended still has a statement running in the database:"
        f" {', '.join(text for _, text in found)}. Wait until it has ended, or end it:"
        f" select pg_terminate_backend({found[0][0]});"
    )


def _statement(db: Database, text: str, table: str = CLAIMS) -> sql.Composed:
    return sql.SQL(text).format(claims=db.ops(table), is_held=db.ops("is_held"))


def _command() -> str:
    """Return the command line of this process, its machine and its number there, for messages."""
    words = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]).encode(errors="replace").decode()
    return f"{words[:COMMAND_LENGTH]} on {socket.gethostname()}, process {os.getpid()} there"
