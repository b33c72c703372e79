"""The connection pool of a reader, shared by its threads; `insights.warehouse.max_reader_connections` bounds it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from orchestration.dashboards.bounded import BoundedConnection
from orchestration.errors import UnavailableError
from orchestration.warehouse.connection import connection_error, parameters, pin_session

logger = logging.getLogger(__name__)
# The pool's own messages repeat what is logged here; without a handler, Python would print them to standard error.
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())

# The pool connects in a background thread and does not report failures to waiting clients, so they poll this often.
LOOK_SECONDS = 0.05
# Time in which a server that is up answers the empty query that checks a connection, and the largest share of the wait
# for a connection that it takes, so that time is left to make another one.
CHECK_SECONDS, CHECK_SHARE = 5.0, 0.25
# Time that a server has to cancel a statement at its limit before the connection is closed, and the largest share of
# the wait for a connection that it takes, so that a reader with a short limit does not wait for longer than the limit.
GRACE_SECONDS, GRACE_SHARE = 2.0, 0.25


class _ReportingConnection(BoundedConnection):
    """A connection that reports a failure to connect."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Connect; a failure is passed to `report`, a function among the arguments, and raised."""
        report: Callable[[psycopg.Error], None] = kwargs.pop("report")
        try:
            connection = super().connect(conninfo, **kwargs)
            connection.answer_by = time.monotonic() + CHECK_SECONDS
            pin_session(connection)
            return connection
        except psycopg.Error as error:
            report(error)
            raise


class ReaderPool:
    """A psycopg_pool that connects on first use and raises at once if it cannot. Safe to share between threads."""

    def __init__(self, url: Callable[[], str], max_size: int, wait_seconds: float) -> None:
        """Allow at most `max_size` connections to `url`; a thread waits for a free one for at most `wait_seconds`."""
        self._url, self._max_size, self._wait_seconds = url, max_size, wait_seconds
        self._lock = threading.Lock()
        self._pool: ConnectionPool[_ReportingConnection] | None = None
        self._failure: tuple[float, psycopg.Error] | None = None

    @contextmanager
    def connection(self, seconds: float) -> Iterator[psycopg.Connection]:
        """Lend a connection in autocommit mode; it is closed if it is broken at the end of the block.

        The block may wait for the server for `seconds`, which include the time to get the connection; then psycopg
        raises QueryCanceled. Raises UnavailableError if no connection is free in time or the server does not respond,
        and MisconfiguredError or RefusedError if the server refuses the connection.
        """
        pool = self._open()
        answer_by = time.monotonic() + seconds + min(GRACE_SECONDS, GRACE_SHARE * self._wait_seconds)
        connection = self._take(pool)
        connection.answer_by = answer_by
        try:
            yield connection
        finally:
            pool.putconn(connection)

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool:
            pool.close()

    def _open(self) -> ConnectionPool[_ReportingConnection]:
        with self._lock:
            if self._pool is None:
                url = self._url()
                try:  # the pool would log an invalid URL with its password
                    conninfo_to_dict(url)
                except psycopg.ProgrammingError as error:
                    raise connection_error(error) from error
                self._pool = ConnectionPool(
                    url,
                    connection_class=_ReportingConnection,
                    kwargs={**parameters(url), "autocommit": True, "report": self._report},
                    min_size=0,
                    max_size=self._max_size,
                    open=True,
                    check=self._check,  # so that no question fails after a restart of the server
                    reconnect_timeout=0,  # the next client tries again, not a timer
                    num_workers=1,
                )
            return self._pool

    def _check(self, connection: _ReportingConnection) -> None:
        """Raise psycopg.Error if the connection does not work; the pool then makes another."""
        connection.answer_by = time.monotonic() + min(CHECK_SECONDS, CHECK_SHARE * self._wait_seconds)
        ConnectionPool.check_connection(connection)

    def _report(self, error: psycopg.Error) -> None:
        self._failure = time.monotonic(), error
        logger.warning("%s", connection_error(error))

    def _take(self, pool: ConnectionPool[_ReportingConnection]) -> _ReportingConnection:
        begun = time.monotonic()
        while True:
            left = begun + self._wait_seconds - time.monotonic()
            try:
                return pool.getconn(timeout=max(0.0, min(LOOK_SECONDS, left)))
            except PoolTimeout as error:
                failure = self._failure
                if failure and failure[0] >= begun:
                    raise connection_error(failure[1]) from failure[1]
                if left <= LOOK_SECONDS:
                    raise UnavailableError(
                        f"No connection to the warehouse was free within {self._wait_seconds} s: all"
                        f" {self._max_size} (insights.warehouse.max_reader_connections) are in use."
                    ) from error
