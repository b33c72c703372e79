"""The connections of one reader: as many as the configuration allows, shared by its threads."""

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

from orchestration.errors import UnavailableError
from orchestration.warehouse.connection import CONNECTION, connection_error

logger = logging.getLogger(__name__)
# What it says of a failed connection is logged here too; without a handler Python would print it besides.
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())

# The pool connects in a thread of its own and tells waiting clients nothing about a failure: they look this often.
LOOK_SECONDS = 0.05


class _ReportingConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that reports a failure to connect."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Connect; a failure is passed to `report`, a function among the arguments, and raised."""
        report: Callable[[psycopg.Error], None] = kwargs.pop("report")
        try:
            return super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            report(error)
            raise


class ReaderPool:
    """A psycopg_pool that connects when first needed and raises at once when it cannot. Safe to share by threads."""

    def __init__(self, url: Callable[[], str], max_size: int, wait_seconds: float) -> None:
        """Describe at most `max_size` connections to `url`; a thread waits `wait_seconds` for one at most."""
        self._url, self._max_size, self._wait_seconds = url, max_size, wait_seconds
        self._lock = threading.Lock()
        self._pool: ConnectionPool[_ReportingConnection] | None = None
        self._failure: tuple[float, psycopg.Error] | None = None

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """Lend a connection, in autocommit mode; it is closed when the block leaves it unusable.

        Raises UnavailableError when none is free in time or the server does not answer, and MisconfiguredError or
        RefusedError when the server refuses the connection.
        """
        pool = self._open()
        connection = self._take(pool)
        try:
            yield connection
        finally:
            pool.putconn(connection)

    def close(self) -> None:
        """Close the connections; the next use opens others."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool:
            pool.close()

    def _open(self) -> ConnectionPool[_ReportingConnection]:
        with self._lock:
            if self._pool is None:
                url = self._url()
                try:  # the pool would log a URL that it cannot read, with the password in it
                    conninfo_to_dict(url)
                except psycopg.ProgrammingError as error:
                    raise connection_error(error) from error
                self._pool = ConnectionPool(
                    url,
                    connection_class=_ReportingConnection,
                    kwargs={**CONNECTION, "autocommit": True, "report": self._report},
                    min_size=0,
                    max_size=self._max_size,
                    open=True,
                    check=ConnectionPool.check_connection,  # a restart of the server costs nobody an answer
                    reconnect_timeout=0,  # the next client tries again, not a timer
                    num_workers=1,
                )
            return self._pool

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
