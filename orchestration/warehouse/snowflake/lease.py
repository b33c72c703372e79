"""The lock of the one writer in Snowflake, which has no advisory locks: a row with an expiry (decision D295)."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser

from orchestration.errors import BusyError, FailedError, InsightsError, NotPreparedError
from orchestration.warehouse.snowflake.connection import Session

TABLE = "leases"
WRITER = "writer"
THREAD = "lease of the writer"  # the name of the thread that renews it
# How long a killed process keeps others from writing, and how often a living one renews its lease.
LEASE_SECONDS = 300
RENEWAL_SECONDS = 60


def create_lease(session: Session) -> None:
    """Make the row of the lease, which has expired, unless there is one."""
    session.execute(
        f"insert into {session.ops(TABLE)}"  # noqa: S608 - a name of ours
        " (lease_name, lease_number, holder, token, acquired_at, expires_at)"
        " select %s, 0, '', '', current_timestamp(), current_timestamp()"
        f" where not exists (select 1 from {session.ops(TABLE)} where lease_name = %s)",
        [WRITER, WRITER],
    )


@contextmanager
def writer_lease(session: Session) -> Iterator[int]:
    """Hold the lease of the writer for a block; yields its number, with which dbt proves it before it writes.

    A thread renews it by the session, which must not be used for anything else in the block. Raises BusyError while
    another process holds it, NotPreparedError without `insights init`, and FailedError at the end of the block if the
    lease was lost meanwhile.
    """
    token = secrets.token_hex(16)
    number = _acquire(session, token)
    renewal = _Renewal(session, token)
    renewal.start()
    try:
        yield number
    finally:
        renewal.end()
        if not renewal.is_lost:
            session.execute(
                f"update {session.ops(TABLE)} set expires_at = current_timestamp()"  # noqa: S608 - a name of ours
                " where lease_name = %s and token = %s",
                [WRITER, token],
            )
    if renewal.is_lost:
        raise FailedError(
            f"This process could not renew its lease of the writer for {LEASE_SECONDS} seconds, and another one has"
            " taken it, so that both may have written. Run the same command again when the other one has finished."
        )


def _acquire(session: Session, token: str) -> int:
    """Take the lease if it has expired; returns its number."""
    holder = f"{getuser()} on {socket.gethostname()}, process {os.getpid()}"
    session.execute(
        f"update {session.ops(TABLE)} set lease_number = lease_number + 1, holder = %s, token = %s,"  # noqa: S608
        " acquired_at = current_timestamp(), expires_at = dateadd('second', %s, current_timestamp())"
        " where lease_name = %s and expires_at <= current_timestamp()",
        [holder, token, LEASE_SECONDS, WRITER],
    )
    found = session.rows(
        "select lease_number, token, holder, cast(acquired_at as varchar), cast(expires_at as varchar)"  # noqa: S608
        f" from {session.ops(TABLE)} where lease_name = %s",
        [WRITER],
    )
    if not found:
        raise NotPreparedError("This database has no lease of the writer. Run first: insights init")
    number, of, who, since, until = found[0]
    if of != token:
        raise BusyError(
            f"{who} is writing to this warehouse since {since}. Its lease ends at {until} unless it renews it, so a"
            " process that was killed keeps it no longer. Wait, then run the same command again."
        )
    return int(number)


class _Renewal(threading.Thread):
    """Renews a lease until it is told to end; `is_lost` says whether another process has taken the lease."""

    def __init__(self, session: Session, token: str) -> None:
        super().__init__(name=THREAD, daemon=True)
        self.is_lost = False
        self._session, self._token, self._ended = session, token, threading.Event()

    def run(self) -> None:
        """Renew the lease again and again; what fails is tried again until the lease is lost."""
        renew = (
            f"update {self._session.ops(TABLE)} set"  # noqa: S608 - a name of ours
            " expires_at = dateadd('second', %s, current_timestamp()) where lease_name = %s and token = %s"
        )
        while not self.is_lost and not self._ended.wait(RENEWAL_SECONDS):
            try:
                self.is_lost = self._session.execute(renew, [LEASE_SECONDS, WRITER, self._token]) == 0
            except InsightsError:
                continue

    def end(self) -> None:
        """Stop renewing, and wait for a renewal that is under way."""
        self._ended.set()
        self.join()
