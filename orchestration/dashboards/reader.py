"""What a service calls: access, then the cache, then the warehouse (specification, sections 2.3 and 2.5)."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from orchestration.cache.answers import Answer, Answers, Request
from orchestration.cache.entries import Entry, Lifetime
from orchestration.cache.keys import Group
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
from orchestration.errors import BadInputError, InsightsError
from orchestration.manifest import read_manifest
from orchestration.warehouse.names import Names
from orchestration.warehouse.organizations import organization_id

SLUGS_KEPT, SLUG_SECONDS = 10_000, 60.0  # ids of slugs that this process remembers, and for how long
REQUESTS_KEPT = 4096  # keys of questions that this process remembers


class Reader:
    """Answers dashboard questions. One for a process; safe to share between its threads."""

    def __init__(self, settings: Settings, found: Mapping[str, Dashboard], warehouse: Warehouse) -> None:
        """Answer from these dashboards, the cache that the settings name, and a warehouse.

        Raises InsightsError when INSIGHTS_REDIS_URL is set and is no URL of a Redis.
        """
        cache = settings.insights.cache
        self._settings = settings
        self._warehouse = warehouse
        self.dashboards = dict(found)
        self.store = (
            Store(settings.redis_url, cache.timeout_ms / 1000, cache.pause_seconds) if settings.redis_url else None
        )
        self.answers = Answers(self.store, cache.compute_seconds)
        names = Names.of(settings)
        self._statements: dict[tuple[str, Form], Statement] = {}
        for name, dashboard in self.dashboards.items():
            self._statements[name, "plain"] = statement(dashboard, "plain", names)
            if dashboard.has_anonymised_form:
                self._statements[name, "anonymised"] = statement(dashboard, "anonymised", names)
        self._requests = lru_cache(REQUESTS_KEPT)(self._request)
        self._lock = threading.Lock()
        self._slugs: dict[str, tuple[str, float]] = {}

    @classmethod
    def open(cls, settings: Settings, url: str | None = None) -> Reader:
        """A reader of the project's dashboards; `url` is the warehouse, by default INSIGHTS_WAREHOUSE_URL."""
        return cls(settings, dashboards(read_manifest(settings)), Warehouse(settings, url))

    def ask(self, asked: Asked, roles: Iterable[str]) -> Answer:
        """Answer one question of somebody who has these roles in its organization; the caller has proven both.

        Raises AccessRefusedError, before cache or warehouse are looked at, BadInputError for a question that makes no
        sense, NotFoundError for a dashboard or an organization that does not exist, and UnavailableError (of whose kind
        `is_transient` is true), NotBuiltError, RefusedError or MisconfiguredError when the warehouse gives no answer.
        """
        rules, known = self._settings.insights.access, access.checked_roles(roles)
        dashboard = find(self.dashboards, asked.dashboard)
        sees = _sees(asked)
        if asked.is_anonymised:
            access.check_anonymised(rules, known)
        else:
            access.check_plain(rules, known, sees)
        question = self._question(asked, dashboard, sees)  # of what was decided on, not of another look at it
        return self.answers.get(self.request(question), lambda: self.compute(question))

    def question(self, asked: Asked) -> Question:
        """The normal form of a question; access is not looked at. Raises InsightsError when it makes no sense."""
        return self._question(asked, find(self.dashboards, asked.dashboard), _sees(asked))

    def _question(self, asked: Asked, dashboard: Dashboard, sees: tuple[Visibility, ...]) -> Question:
        form: Form = "plain"
        min_group_size = None
        if asked.is_anonymised:
            form, min_group_size = "anonymised", self._settings.insights.exports.min_group_size
            if not dashboard.has_anonymised_form:
                having = ", ".join(sorted(n for n, f in self._statements if f == "anonymised"))
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
            definition=self._statements[dashboard.name, form].digest,
        )

    def request(self, question: Question) -> Request:
        """The question as the cache knows it: its key, how long its answer is good, how many its dashboard keeps."""
        return self._requests(question)  # equal questions have equal ones, whoever asks

    def _request(self, question: Question) -> Request:
        cache, environment = self._settings.insights.cache, self._settings.environment
        ttl = self.dashboards[question.dashboard].meta.ttl
        fresh = getattr(cache.ttl_seconds, ttl).of(environment)
        stale = 0 if ttl == "streaming_like" else cache.stale_seconds  # decision D11
        most = cache.max_keys_per_dashboard.of(environment)
        return Request(cache_key(question), question.text, Lifetime(fresh, stale), most)

    def compute(self, question: Question) -> Entry:
        """Ask the warehouse; the cache is neither read nor written. Raises InsightsError."""
        return self.compute_all([question])[0]

    def compute_all(self, questions: Sequence[Question]) -> list[Entry]:
        """Ask the warehouse several questions in one go; raises InsightsError when one of them fails."""
        asked = [(self.dashboards[q.dashboard], self._statements[q.dashboard, q.form], q) for q in questions]
        return self._warehouse.answer_all(asked)

    def keep(self, entries: Sequence[tuple[Question, Entry]]) -> list[str | None]:
        """Keep answers that nobody asked for just now; for each why it was not kept, None where it was."""
        return self.answers.keep([(self.request(question), entry) for question, entry in entries])

    def read_back(self, question: Question) -> Answer | None:
        """What somebody who asks this just now would find in the cache, by the reader's own key."""
        return self.answers.peek(self.request(question))

    def organizations(self) -> list[str]:
        """The ids of the organizations that somebody may ask for; raises InsightsError."""
        return self._warehouse.organizations()

    def most_asked(self, dashboard: str, limit: int) -> list[tuple[Question, int]]:
        """The questions of a dashboard that were asked most since yesterday, the most first, with how often.

        What is no question of this release (any more) is left out. Raises CacheUnavailableError or CacheRefusedError
        when Redis does not say; without a cache there is none.
        """
        if self.store is None:
            return []
        group = Group(self._settings.environment, dashboard)
        asked = self.store.most_asked(group, time.time())
        found = ((question, count) for text, count in asked if (question := self._asked(dashboard, text)))
        return list(itertools.islice(found, limit))

    def close(self) -> None:
        """Send the counts that are left, and close the connections."""
        self.answers.counters.send()
        self._warehouse.close()
        if self.store:
            self.store.close()

    def _asked(self, dashboard: str, text: str) -> Question | None:
        try:
            said: dict[str, Any] = json.loads(text)
            is_anonymised = said["form"] == "anonymised"
            asked = Asked(
                dashboard,
                said["organization_id"],
                None if is_anonymised else said["visibilities"],
                is_anonymised,
                said["parameters"],
            )
            question = self.question(asked)
        except (InsightsError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return question if question.text == text else None

    def _organization(self, text: str) -> str:
        """The id: as it was given (that it exists, the query says), or that of a slug, remembered for a minute."""
        known = organization_id(text)
        if known:
            return known
        with self._lock:
            kept, since = self._slugs.get(text, ("", 0.0))
        if kept and time.monotonic() - since < SLUG_SECONDS:
            return kept
        found = self._warehouse.organization_of(text)
        with self._lock:
            if len(self._slugs) >= SLUGS_KEPT:
                self._slugs.clear()
            self._slugs[text] = (found, time.monotonic())
        return found


def _sees(asked: Asked) -> tuple[Visibility, ...]:
    return ALL_VISIBILITIES if asked.is_anonymised else normal_visibilities(asked.visibilities)
