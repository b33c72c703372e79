"""The interface for a service: checks access, then reads the cache, then the warehouse (sections 2.3 and 2.5)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from orchestration.cache.answers import Answer, Answers, Request
from orchestration.cache.entries import Entry, Lifetime
from orchestration.cache.keys import Group
from orchestration.cache.seals import Seals
from orchestration.cache.store import Store
from orchestration.config.files import Settings
from orchestration.config.tokens import Visibility
from orchestration.dashboards import access
from orchestration.dashboards.definitions import Dashboard, dashboards, find
from orchestration.dashboards.query import Statement, statement
from orchestration.dashboards.question import (
    ALL_VISIBILITIES,
    Asked,
    Form,
    Question,
    cache_key,
    normal_parameters,
    normal_visibilities,
)
from orchestration.dashboards.warehouse import Warehouse
from orchestration.errors import BadInputError, InsightsError, UnavailableError
from orchestration.manifest import read_manifest
from orchestration.warehouse.database import Database
from orchestration.warehouse.ids import canonical_id
from orchestration.warehouse.names import Names
from orchestration.warehouse.status import MartAge

SLUGS_KEPT, SLUG_SECONDS = 10_000, 60.0  # slugs whose id a process remembers, and for how many seconds
REQUESTS_KEPT = 4096  # questions whose key a process remembers


class Reader:
    """Answers dashboard questions. Use one for each process; it is safe to share between threads."""

    def __init__(self, settings: Settings, found: Mapping[str, Dashboard], warehouse: Warehouse) -> None:
        """Use these dashboards, the cache of the settings, and a warehouse.

        Raises MisconfiguredError if INSIGHTS_REDIS_URL is set and is not a Redis URL.
        """
        cache = settings.insights.cache
        self._settings = settings
        self._warehouse = warehouse
        self.dashboards = dict(found)
        self.store = (
            Store(settings.redis_url, cache.timeout_ms / 1000, cache.pause_seconds) if settings.redis_url else None
        )
        self.seals = Seals(lambda: settings.cache_key or warehouse.cache_key(), cache.pause_seconds)
        self.answers = Answers(self.store, self.seals, cache.compute_seconds)
        self._statement = lru_cache(maxsize=None)(self._new_statement)
        self._requests = lru_cache(REQUESTS_KEPT)(self._request)
        self._lock = threading.Lock()
        self._slugs: dict[str, tuple[str, float]] = {}

    @classmethod
    def open(cls, settings: Settings, url: str | None = None) -> Reader:
        """Return a reader for the project's dashboards; `url` is the warehouse, default: INSIGHTS_WAREHOUSE_URL."""
        return cls(settings, dashboards(read_manifest(settings)), Warehouse(settings, url))

    def ask(self, asked: Asked, roles: Iterable[str]) -> Answer:
        """Answer a question of a user with these roles in the organization; the caller has verified user and roles.

        Raises AccessRefusedError before cache or warehouse are read, BadInputError for an invalid question,
        NotFoundError for an unknown dashboard or organization, and UnavailableError (`is_transient`), NotBuiltError,
        RefusedError or MisconfiguredError if the warehouse cannot answer.
        """
        return self.answer(self.allowed(asked, roles))

    def allowed(self, asked: Asked, roles: Iterable[str]) -> Question:
        """Return the normal form of a question that these roles may ask; the cache is not read. Raises like `ask`."""
        rules, known = self._settings.insights.access, access.checked_roles(roles)
        dashboard = find(self.dashboards, asked.dashboard)
        sees = _sees(asked)
        if asked.is_anonymised:
            access.check_anonymised(rules, known)
        else:
            access.check_plain(rules, known, sees)
        return self._question(asked, dashboard, sees)  # uses exactly the visibilities that were checked

    def answer(self, question: Question) -> Answer:
        """Answer a question that was allowed, from the cache or the warehouse."""
        return self.answers.get(self.request(question), lambda: self.compute(question))

    def visible_to(self, roles: Iterable[str]) -> tuple[Visibility, ...]:
        """Return the visibilities that these roles may see in the plain form; none for roles that may see nothing."""
        return access.visible(self._settings.insights.access, frozenset(roles))

    def sees_anonymised(self, roles: Iterable[str]) -> bool:
        """Return whether these roles may see the anonymised form."""
        return access.sees_anonymised(self._settings.insights.access, frozenset(roles))

    def organization_names(self, organization_id: str | None) -> dict[str, str | None]:
        """Return what people call one organization or, for None, all of them: names by id, in the order of the names.

        Without those that the warehouse does not know, and empty if it does not answer.
        """
        try:
            return self._warehouse.organization_names(organization_id)
        except UnavailableError:
            return {}

    def check(self) -> None:
        """Raise UnavailableError, or another InsightsError, if the warehouse does not answer."""
        self._warehouse.check()

    def reading(self) -> AbstractContextManager[Database]:
        """Return a read-only transaction for other reads than dashboards, with the time limit of one computation."""
        return self._warehouse.transaction()

    def mart_ages(self, dags: Mapping[str, str]) -> list[MartAge]:
        """Return the age of each mart, and whether it is late; `dags` as for `warehouse.status.read_status`."""
        return self._warehouse.mart_ages(dags)

    def question(self, asked: Asked) -> Question:
        """Return the normal form of a question without checking access; raises InsightsError if it is invalid."""
        return self._question(asked, find(self.dashboards, asked.dashboard), _sees(asked))

    def _question(self, asked: Asked, dashboard: Dashboard, sees: tuple[Visibility, ...]) -> Question:
        form: Form = "plain"
        min_group_size = None
        if asked.is_anonymised:
            form, min_group_size = "anonymised", self._settings.insights.exports.min_group_size
            if not dashboard.has_anonymised_form:
                having = ", ".join(sorted(n for n, d in self.dashboards.items() if d.has_anonymised_form))
                raise BadInputError(f"Dashboard {dashboard.name} has no anonymised form. These have one: {having}.")
            if asked.visibilities is not None:
                raise BadInputError("The anonymised form counts every visibility; leave out --visibility.")
        return Question(
            environment=self._settings.environment,
            dashboard=dashboard.name,
            parameters=normal_parameters(dashboard, asked.parameters),
            organization_id=self._organization(asked.organization),
            form=form,
            visibilities=sees,
            min_group_size=min_group_size,
            definition=self._statement(dashboard.name, form).digest,
        )

    def _new_statement(self, name: str, form: Form) -> Statement:
        return statement(self.dashboards[name], form, Names.of(self._settings))

    def request(self, question: Question) -> Request:
        """Return the request to the cache: key, lifetime and maximum number of keys of the dashboard."""
        return self._requests(question)

    def _request(self, question: Question) -> Request:
        cache, environment = self._settings.insights.cache, self._settings.environment
        ttl = self.dashboards[question.dashboard].meta.ttl
        fresh = getattr(cache.ttl_seconds, ttl).of(environment)
        stale = 0 if ttl == "streaming_like" else cache.stale_seconds  # decision D11
        most = cache.max_keys_per_dashboard.of(environment)
        return Request(cache_key(question), question.text, Lifetime(fresh, stale), most)

    def compute(self, question: Question) -> Entry:
        """Query the warehouse; the cache is neither read nor written. Raises like `compute_all`."""
        return self.compute_all([question])[0]

    def compute_all(self, questions: Sequence[Question]) -> list[Entry]:
        """Query the warehouse for several questions in one round trip; raises InsightsError if one of them fails."""
        asked = [(self.dashboards[q.dashboard], self._statement(q.dashboard, q.form), q) for q in questions]
        return self._warehouse.answer_all(asked)

    def keep(self, entries: Sequence[tuple[Question, Entry]]) -> list[str | None]:
        """Store answers of a warm-up; returns the reason for each that was not stored, None for each that was."""
        return self.answers.keep([(self.request(question), entry) for question, entry in entries])

    def read_back(self, question: Question) -> Answer | None:
        """Return what a client would find in the cache now, None if nothing."""
        return self.answers.peek(self.request(question))

    def organizations(self) -> list[str]:
        """Return the ids of the active organizations; raises InsightsError if the warehouse cannot answer."""
        return self._warehouse.organizations()

    def most_requested(self, dashboard: str, limit: int) -> list[tuple[Question, int]]:
        """Return the `limit` most requested questions of a dashboard since yesterday, with their number of requests.

        Questions that this release does not have are left out and forgotten. Without a cache the list is empty. Raises
        CacheUnavailableError or CacheRefusedError if Redis fails.
        """
        if self.store is None:
            return []
        group, now = Group(self._settings.environment, dashboard), time.time()
        found: list[tuple[Question, int]] = []
        invalid = []
        for text, count in self.store.most_requested(group, now):
            if len(found) == limit:
                break
            if question := self._parsed(dashboard, text):
                found.append((question, count))
            else:
                invalid.append(text)
        self.store.forget_requests(group, invalid, now)
        return found

    def close(self) -> None:
        """Send the remaining counts and close the connections."""
        self.answers.counters.send()
        self._warehouse.close()
        if self.store:
            self.store.close()

    def _parsed(self, dashboard: str, text: str) -> Question | None:
        try:
            whole: dict[str, Any] = json.loads(text)
            is_anonymised = whole["form"] == "anonymised"
            asked = Asked(
                dashboard,
                whole["organization_id"],
                None if is_anonymised else whole["visibilities"],
                is_anonymised,
                whole["parameters"],
            )
            question = self.question(asked)
        except (InsightsError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return question if question.text == text else None

    def _organization(self, text: str) -> str:
        """Return the id of a slug, remembered for a minute, or the given id; the statement checks that it exists."""
        known = canonical_id(text)
        if known:
            return known
        with self._lock:
            kept, since = self._slugs.get(text, ("", 0.0))
        if kept and time.monotonic() - since < SLUG_SECONDS:
            return kept
        try:
            found = self._warehouse.organization_of(text)
        except UnavailableError:  # the cache may have a stale answer
            if not kept:
                raise
            return kept
        with self._lock:
            if len(self._slugs) >= SLUGS_KEPT:
                self._slugs.clear()
            self._slugs[text] = (found, time.monotonic())
        return found


def _sees(asked: Asked) -> tuple[Visibility, ...]:
    return ALL_VISIBILITIES if asked.is_anonymised else normal_visibilities(asked.visibilities)
