"""The schema of config/organization_profiles.yaml (source contract, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import Field, field_validator

from orchestration.config.tokens import Count, Days, Metadata, Priority, Section, Severity, Switch, Text, Visibility

T = TypeVar("T")


class Escalation(Section):
    """One severity of `severity_policy`."""

    immediate_escalation: Switch


class SeverityPolicy(Section):
    """`severity_policy` of a profile."""

    critical: Escalation
    major: Escalation
    minor: Escalation


class TaskMetadata(Section):
    """`default_task_metadata` of a profile."""

    visibility: Visibility = Field(description="Visibility of a case without tasks and metadata that set it.")
    default_priority: Priority
    default_reactivity_seconds: Count


class Schedule(Section):
    """`cyclic_overview.schedule`: the reviews that include organizations with this profile."""

    weekly: Switch
    monthly: Switch
    yearly: Switch


class IncidentFrequency(Section):
    """`threshold_triggers.incident_frequency`, which takes precedence (decision D3)."""

    min_events: Count = Field(description="Minimum number of similar incidents in a pattern.")
    window_days: Days = Field(description="Number of consecutive days in which they must occur.")


class Triggers(Section):
    """`cyclic_overview.threshold_triggers`."""

    incident_frequency: IncidentFrequency
    cross_departmental_trends: Switch
    high_risk_indicators: Switch


class CyclicOverview(Section):
    """`cyclic_overview` of a profile."""

    enabled: Switch
    schedule: Schedule
    threshold_triggers: Triggers


class Profile(Section):
    """One organization profile (source contract, section 4)."""

    description: Text
    metadata: dict[str, str] = Field(default_factory=dict)
    reactivity_seconds: Count = Field(description="Time limit for the first response, in seconds.")
    max_escalation_seconds: Count = Field(description="Time limit for the completion of a task, in seconds.")
    limits_in: Literal["wall_clock", "business"] = Field(
        default="wall_clock",
        description="Which seconds both limits count: all, or those in which the organization's calendar is open.",
    )
    transparency_level: Literal["full", "balanced", "restricted", "private"]
    escalation_granularity: Literal["relaxed", "moderate", "detailed", "aggressive"]
    review_frequency: Text
    notification_scope: Literal["user", "team", "department", "org_wide"]
    pattern_sensitivity: Literal["low", "medium", "high", "critical"]
    pattern_window_days: Days = Field(description="Should equal incident_frequency.window_days, which is used.")
    pattern_min_events: Count = Field(description="Should equal incident_frequency.min_events, which is used.")
    severity_threshold: Severity
    severity_policy: SeverityPolicy
    logging_level: Text
    log_retention_days: Days = Field(description="Retention of operational logs, in days; not used by Insights.")
    automation_level: Text
    default_task_metadata: TaskMetadata
    cyclic_overview: CyclicOverview

    @field_validator("notification_scope", mode="before")
    @classmethod
    def _without_alias(cls, value: object) -> object:
        """Replace the aliases of Doc 7: individual for user, small_team for team."""
        return {"individual": "user", "small_team": "team"}.get(str(value), value)


class ProfilesFile(Section):
    """The file config/organization_profiles.yaml without its templates."""

    metadata: Metadata | None = Field(default=None, description="Version and date of the file.")
    profiles: dict[str, Profile]

    @field_validator("profiles", mode="before")
    @classmethod
    def _without_templates(cls, value: object) -> object:
        return without_templates(value) if isinstance(value, dict) else value


def without_templates(profiles: Mapping[str, T]) -> dict[str, T]:
    """Return the profiles without templates, whose keys start with `_`."""
    return {name: profile for name, profile in profiles.items() if not str(name).startswith("_")}
