"""The configuration as the rest of the code sees it: typed values for one ENVIRONMENT."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from orchestration.config.dag_model import Dag
from orchestration.config.expansion import expand
from orchestration.config.model import Insights
from orchestration.config.problems import KeyPath
from orchestration.config.profile_model import Profile
from orchestration.config.tokens import Environment
from orchestration.config.yaml_reader import Place
from orchestration.errors import InsightsError


@dataclass(frozen=True)
class Settings:
    """What the files say, for the ENVIRONMENT that INSIGHTS_ENV names (specification, sections 2.6 and 5).

    `dags` has the key of the inventory (`weekly_pattern_review`), not the id. `places` tells where a value is written.
    """

    environment: Environment
    insights: Insights
    profiles: dict[str, Profile]
    dags: dict[str, Dag]
    places: Mapping[KeyPath, Place] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def warehouse_url(self) -> str:
        """URL of the warehouse; raises InsightsError when INSIGHTS_WAREHOUSE_URL is not set."""
        url, missing = expand(self.insights.warehouse.connection_url, os.environ)
        if missing:
            key = "insights.warehouse.connection_url"
            raise InsightsError(f"{key} is read from the environment variable {missing[0]}, which is not set.")
        return url

    @cached_property
    def redis_url(self) -> str | None:
        """Where results are kept; None when INSIGHTS_REDIS_URL is not set, which means no cache."""
        return _optional(self.insights.cache.url)

    @cached_property
    def core_api_url(self) -> str | None:
        """Where review cases are posted; None when INSIGHTS_CORE_API_URL is not set, which means a dry run."""
        return _optional(self.insights.reviews.url)

    @cached_property
    def core_api_token(self) -> str | None:
        """The bearer token of Core Services; None when INSIGHTS_CORE_API_TOKEN is not set."""
        return _optional(self.insights.reviews.token)

    @cached_property
    def default_profile_key(self) -> str:
        """The profile that applies where nothing else does; INSIGHTS_DEFAULT_PROFILE_KEY wins over the file."""
        return os.environ.get("INSIGHTS_DEFAULT_PROFILE_KEY") or self.insights.patterns.default_profile_key

    def is_enabled(self, dag: str, environment: Environment | None = None) -> bool:
        """Whether a DAG, by its key of the inventory, runs in an environment (default: this one).

        In `offline` every DAG runs when `insights.offline.enabled` says so (decision D9).
        """
        environment = environment or self.environment
        is_named = environment in self.dags[dag].enabled_environments
        return is_named or (environment == "offline" and self.insights.offline.enabled)


def _optional(value: str) -> str | None:
    text, missing = expand(value, os.environ)
    return None if missing else text or None
