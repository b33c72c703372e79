"""Runs the statements of dashboards: read-only, with a time limit, on a pool of connections."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import sql

from orchestration.cache.entries import Entry
from orchestration.config.files import Settings
from orchestration.dashboards.definitions import ORGANIZATIONS, Dashboard
from orchestration.dashboards.pool import ReaderPool
from orchestration.dashboards.query import Statement, bound, statement
from orchestration.dashboards.question import Form, Question
from orchestration.errors import NotBuiltError, NotPreparedError, RefusedError, TimedOutError, UnavailableError
from orchestration.warehouse.database import Database, no_organization
from orchestration.warehouse.names import Names
from orchestration.warehouse.status import MartAge, mart_ages
from orchestration.warehouse.translation import Messages, translating

NEVER_BUILT = "The reports are not built yet, or not readable. Run: insights init, then insights build."
NO_CACHE_KEY = "This database has no key for the cache. Run: insights init; or set INSIGHTS_CACHE_KEY."
MESSAGES: Messages = {
    NotPreparedError: f"{NEVER_BUILT} ({{detail}})",
    NotBuiltError: f"{NEVER_BUILT} ({{detail}})",
    RefusedError: f"{NEVER_BUILT} ({{detail}})",
    TimedOutError: "The dashboard took longer than insights.cache.compute_seconds allows.",
    UnavailableError: "The warehouse does not answer: {detail}",
}


class Warehouse:
    """The warehouse as dashboards see it. Safe to share between threads."""

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        """Connect to `url` (default: INSIGHTS_WAREHOUSE_URL) on first use, preferably as the read-only role."""
        self._settings = settings
        self._pool = ReaderPool(
            lambda: url or settings.warehouse_url,
            settings.insights.warehouse.max_reader_connections,
            settings.insights.cache.compute_seconds,
        )

    def answer_all(self, asked: Sequence[tuple[Dashboard, Statement, Question]]) -> list[Entry]:
        """Compute the answers to several questions in one transaction.

        A panel whose model does not exist says so; the others have their rows (decision D170). `seconds` of each entry
        is an equal share of the total time. Raises NotFoundError for an unknown organization, NotBuiltError if no model
        of a dashboard exists, and UnavailableError if the database does not respond, or not within
        `cache.compute_seconds`.
        """
        started, now = time.monotonic(), time.time()
        with self.transaction(len(asked)) as db:
            missing = _missing_models(db, [dashboard for dashboard, _, _ in asked])
            with db.connection.pipeline():
                cursors = [
                    db.connection.execute(
                        self._without(missing, dashboard, whole, question.form).text,
                        bound(dashboard, question),
                        prepare=False,
                    )
                    for dashboard, whole, question in asked
                ]
                rows = [cursor.fetchone() for cursor in cursors]
        seconds = (time.monotonic() - started) / max(1, len(asked))
        return [_entry(question, row, now, seconds) for (_, _, question), row in zip(asked, rows, strict=True)]

    def _without(self, missing: set[str], dashboard: Dashboard, whole: Statement, form: Form) -> Statement:
        """Return the statement of a dashboard without missing models; `whole`, which fails, if it has no other."""
        models = {panel.model for panel in dashboard.meta.panels.values()}
        if models <= missing or not models & missing:
            return whole
        return statement(dashboard, form, Names.of(self._settings), missing)

    def organization_of(self, given: str) -> str:
        """Return the id of the one organization with this slug or id; raises like `Database.organization`."""
        with self.transaction() as db:
            return str(db.organization(given))

    def organizations(self) -> list[str]:
        """Return the ids of the active organizations, ordered by slug."""
        query = sql.SQL("select organization_id::text from {} where status = 'active' order by slug")
        with self.transaction() as db:
            return [row[0] for row in db.rows(query.format(db.mart(ORGANIZATIONS)))]

    def organization_names(self, organization_id: str | None) -> dict[str, str | None]:
        """Return the name of one organization or, for None, of all, by id."""
        query = sql.SQL(
            "select organization_id::text, display_name from {} where %(id)s::uuid is null or organization_id = %(id)s"
            " order by display_name, organization_id"
        )
        with self.transaction() as db:
            return dict(db.rows(query.format(db.mart(ORGANIZATIONS)), {"id": organization_id}))

    def check(self) -> None:
        """Raise UnavailableError, or another InsightsError, if the database does not answer."""
        with self.transaction() as db:
            db.value("select 1")

    def mart_ages(self, dags: Mapping[str, str]) -> list[MartAge]:
        """Return the age of each mart; `dags` has the key of the scheduled DAG that builds a mart, by its name."""
        with self.transaction() as db:
            return mart_ages(db, dags)

    def cache_key(self) -> bytes:
        """Return the key that `insights init` has made for the cache; raises NotPreparedError if there is none."""
        with self.transaction() as db:
            found: bytes | None = db.value(sql.SQL("select key from {}").format(db.ops("cache_key")))
        if found is None:
            raise NotPreparedError(NO_CACHE_KEY)
        return bytes(found)

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    @contextmanager
    def transaction(self, statements: int = 1) -> Iterator[Database]:
        """Yield the database in a read-only transaction, with the time limit of one computation for each statement."""
        seconds = self._settings.insights.cache.compute_seconds
        lent = self._pool.connection(seconds * max(1, statements))
        with translating(MESSAGES), lent as connection, connection.transaction():
            connection.execute("set transaction read only")
            connection.execute("select set_config('statement_timeout', %s, true)", [f"{seconds}s"], prepare=False)
            yield Database(self._settings, connection, MESSAGES)


def _missing_models(db: Database, asked: Iterable[Dashboard]) -> set[str]:
    """Return the models of these dashboards that have no relation in the warehouse."""
    return db.missing(
        {name: sql.Identifier(*place) for dashboard in asked for name, place in dashboard.relations.items()}
    )


def _entry(question: Question, row: tuple[Any, ...] | None, now: float, seconds: float) -> Entry:
    body, load, is_known = row or ("", None, False)
    if load is None:
        raise NotBuiltError(NEVER_BUILT)
    if not is_known:
        raise no_organization(question.organization_id)
    return Entry(question.text, body.encode(), load, now, seconds)
