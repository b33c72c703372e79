"""What the operations share: the settings, the reader, who verifies tokens, and which DAG builds which mart."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from orchestration.api.gateway import Gateway
from orchestration.api.limits import RequestLimit
from orchestration.api.tokens import Authenticator, Caller, Verifier
from orchestration.config.files import Settings
from orchestration.config.outputs_model import EXTRA_MS
from orchestration.dashboards.access import AccessRefusedError
from orchestration.dashboards.reader import Reader
from orchestration.errors import NotFoundError
from orchestration.exports.definitions import Definition, load_definitions
from orchestration.manifest import scheduled_marts
from orchestration.warehouse.ids import canonical_id

MILLISECONDS = 1000


@dataclass(frozen=True)
class Service:
    """One process of the reporting service. Safe to share between threads."""

    settings: Settings
    reader: Reader
    authenticator: Authenticator
    dags: Mapping[str, str]
    limit: RequestLimit
    exports: Mapping[str, Definition]

    @classmethod
    def open(cls, settings: Settings, trusts_gateway: bool = False) -> Service:
        """Return a service for the project's dashboards and exports; nothing is connected yet.

        With `trusts_gateway`, callers are those that a gateway has authenticated, else those of Orgo's access tokens.
        Raises MisconfiguredError without a way to know who asks, or for wrong addresses.
        """
        authenticator = Gateway(settings) if trusts_gateway else Verifier(settings)
        limited = limited_settings(settings)
        rules = settings.insights.reports_api
        limit = RequestLimit(rules.requests_per_minute)
        reader, exports = Reader.open(limited), load_definitions(settings)
        return cls(limited, reader, authenticator, scheduled_marts(settings), limit, exports)

    @property
    def answer_seconds(self) -> float:
        """The longest time that an answer may take."""
        return (self.settings.insights.reports_api.timeout_ms + EXTRA_MS) / MILLISECONDS

    @property
    def fresh_seconds(self) -> int:
        """How long clients may keep an answer that no dashboard's class decides about (section 2.3)."""
        return self.settings.insights.cache.ttl_seconds.dashboard_default.of(self.settings.environment)

    def organization(self, caller: Caller, given: str) -> str:
        """Return the id of an organization that the caller may ask about; neither cache nor warehouse is read.

        Raises NotFoundError for every other one, whether it exists or not.
        """
        id_ = canonical_id(given)
        if id_ is None or not (id_ == caller.organization_id or self.is_superuser(caller)):
            raise NotFoundError("There is no such organization for this caller.")
        return id_

    def is_superuser(self, caller: Caller) -> bool:
        """Return whether a caller may ask about every organization."""
        return not caller.roles.isdisjoint(self.settings.insights.reports_api.superuser_roles)

    def visibilities(self, caller: Caller, wanted: Collection[str] | None) -> tuple[str, ...]:
        """Return the visibilities of a question: those wanted, or all that the roles of the caller may see.

        Raises AccessRefusedError, which names what the roles may see, if they may see less, or nothing.
        """
        may_see = self.reader.visible_to(caller.roles)
        found = tuple(may_see if wanted is None else wanted)
        if not may_see or not set(found) <= set(may_see):
            raise AccessRefusedError(f"The roles may see {', '.join(may_see) or 'no visibility'} only.")
        return found


def limited_settings(settings: Settings) -> Settings:
    """Return the settings with the limits of the service: the time of a statement, and one connection per thread.

    One connection more is for readiness, so that a busy service is still ready.
    """
    insights = settings.insights
    rules = insights.reports_api
    cache = insights.cache.model_copy(update={"compute_seconds": rules.timeout_ms / MILLISECONDS})
    warehouse = insights.warehouse.model_copy(update={"max_reader_connections": rules.threads + 1})
    return dataclasses.replace(settings, insights=insights.model_copy(update={"cache": cache, "warehouse": warehouse}))
