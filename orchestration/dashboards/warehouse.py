"""Runs the statements of dashboards: read only, bounded in time, on a few connections that threads share."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from orchestration.cache.entries import Entry
from orchestration.config.files import Settings
from orchestration.dashboards.definitions import ORGANIZATIONS, Dashboard
from orchestration.dashboards.query import Statement, bound
from orchestration.dashboards.question import Question
from orchestration.errors import InsightsError
from orchestration.warehouse.connection import connect

IDLE_CONNECTIONS = 4  # kept open; more are made while more threads ask, and closed again
NEVER_BUILT = "These reports have not been built here yet, or are not readable: insights init, then insights build."


class Warehouse:
    """The warehouse as dashboards see it. Safe to share between threads."""

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        """Connect to `url` when first asked, by default to INSIGHTS_WAREHOUSE_URL; best as the read-only role."""
        self._settings = settings
        self._url = url
        self._lock = threading.Lock()
        self._idle: list[psycopg.Connection] = []

    def answer(self, dashboard: Dashboard, statement: Statement, question: Question) -> Entry:
        """Compute the answer to one question.

        Raises InsightsError for an organization that is not there, for reports that were never built, when the database
        does not answer, and when it takes longer than `cache.compute_seconds`.
        """
        return self.answer_all([(dashboard, statement, question)])[0]

    def answer_all(self, asked: Sequence[tuple[Dashboard, Statement, Question]]) -> list[Entry]:
        """Compute the answers to several questions, sent to the database in one go; raises like `answer`.

        `seconds` of each entry is its share of the time that all took.
        """
        started, now = time.monotonic(), time.time()
        with _plain_words(), self._transaction() as connection, connection.pipeline():
            cursors = [
                connection.execute(statement.text, bound(dashboard, question), prepare=False)
                for dashboard, statement, question in asked
            ]
            rows = [cursor.fetchone() for cursor in cursors]
        seconds = (time.monotonic() - started) / max(1, len(asked))
        return [_entry(question, row, now, seconds) for (_, _, question), row in zip(asked, rows, strict=True)]

    def organization_of(self, slug: str, dashboard: Dashboard) -> str:
        """The id of the one organization with this slug; raises InsightsError when there is none."""
        query = sql.SQL("select organization_id::text from {} where slug = %s").format(
            sql.Identifier(*dashboard.relations[ORGANIZATIONS])
        )
        try:
            with _plain_words(), self._transaction() as connection:
                rows = connection.execute(query, [slug], prepare=False).fetchall()
        except (psycopg.DataError, UnicodeError):  # a text that the database cannot even hold
            rows = []
        if len(rows) != 1:
            raise no_organization(slug)
        return str(rows[0][0])

    def organizations(self, dashboard: Dashboard) -> list[str]:
        """The ids of all organizations that are active, by slug."""
        query = sql.SQL("select organization_id::text from {} where status = 'active' order by slug").format(
            sql.Identifier(*dashboard.relations[ORGANIZATIONS])
        )
        with _plain_words(), self._transaction() as connection:
            return [row[0] for row in connection.execute(query, prepare=False)]

    def close(self) -> None:
        """Close the connections that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection]:
        """A read-only transaction on a connection of its own, with the time limit of one computation."""
        connection = self._connection()
        try:
            with connection.transaction():
                connection.execute("set transaction read only")
                limit = f"{self._settings.insights.cache.compute_seconds}s"
                connection.execute("select set_config('statement_timeout', %s, true)", [limit], prepare=False)
                yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _connection(self) -> psycopg.Connection:
        """An idle connection that still answers, else a new one."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return connect(self._url or self._settings.warehouse_url, autocommit=True)
            try:
                connection.execute("select")
                return connection
            except psycopg.Error:
                connection.close()


@contextmanager
def _plain_words() -> Iterator[None]:
    """What the database refuses, as a sentence that helps."""
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedColumn) as error:
        raise InsightsError(NEVER_BUILT) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise InsightsError(f"{NEVER_BUILT} ({str(error).splitlines()[0]})") from error
    except psycopg.errors.QueryCanceled as error:
        raise InsightsError("The dashboard took longer than insights.cache.compute_seconds allows.") from error
    except psycopg.OperationalError as error:
        raise InsightsError(f"The warehouse does not answer: {str(error).splitlines()[0]}") from error


def no_organization(text: str) -> InsightsError:
    """That there is no such organization, whichever way it was named."""
    return InsightsError(f"There is no organization {text!r}: give the slug or the id of one.")


def _entry(question: Question, row: tuple[Any, ...] | None, now: float, seconds: float) -> Entry:
    body, load, is_known = row or ("", None, False)
    if load is None:
        raise InsightsError(NEVER_BUILT)
    if not is_known:
        raise no_organization(question.organization_id)
    return Entry(question.text, body.encode(), load, now, seconds)
