"""The shape of config/insights/config.yaml (specification 3.1) and of the profiles file (source contract 4)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator

Environment = Literal["dev", "staging", "prod", "offline"]
Visibility = Literal["PUBLIC", "INTERNAL", "RESTRICTED", "ANONYMISED"]
Priority = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
Severity = Literal["MINOR", "MODERATE", "MAJOR", "CRITICAL"]
PerEnvironment = PositiveInt | dict[Environment, PositiveInt]
SqlName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]


class Section(BaseModel):
    """A mapping whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Metadata(Section):
    """`metadata:` of every configuration file of Orgo."""

    environment: str
    version: Annotated[str, Field(pattern=r"^3\.")]
    last_updated: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Warehouse(Section):
    """`insights.warehouse`."""

    type: Literal["postgres"]
    connection_url: str
    schema_name: SqlName = Field(alias="schema")
    read_only_user: SqlName
    write_user: SqlName


class Source(Section):
    """`insights.source`: where Orgo's operational tables are."""

    schema_name: SqlName = Field(alias="schema")


class Etl(Section):
    """`insights.etl`; overlap_hours is how far each load looks back behind the last one."""

    owner_email: str
    default_batch_size: PositiveInt
    max_batch_size: PositiveInt
    concurrency: PositiveInt
    overlap_hours: PositiveInt


class CacheTtl(Section):
    """`insights.cache.ttl_seconds` (section 2.3)."""

    dashboard_default: PerEnvironment
    dashboard_slow: PerEnvironment
    streaming_like: PerEnvironment


class Cache(Section):
    """`insights.cache` (section 2.3)."""

    backend: Literal["redis"]
    url: str
    ttl_seconds: CacheTtl
    max_keys_per_dashboard: PerEnvironment


class Retention(Section):
    """`insights.retention` (section 2.1), in days."""

    raw_event_retention_days: PerEnvironment
    aggregated_retention_days: PerEnvironment
    pattern_result_retention_days: PerEnvironment


class Backups(Section):
    """`insights.backups` (section 2.2), in minutes."""

    rpo_minutes: PerEnvironment
    rto_minutes: PerEnvironment


class Exports(Section):
    """`insights.exports` (section 2.4)."""

    max_rows_per_export: PerEnvironment
    max_parallel_exports_per_user: PerEnvironment
    pii_masking_enabled: bool
    allowed_visibilities: list[Visibility]


class Cadence(Section):
    """Thresholds of one review (section 3.1, `patterns.weekly` and its kin)."""

    window_days: PositiveInt
    min_events: PositiveInt
    min_distinct_sources: PositiveInt


class Patterns(Section):
    """`insights.patterns` (sections 3.1 and 3.2)."""

    default_profile_key: str
    overrides_by_domain: dict[str, str]
    weekly: Cadence
    monthly: Cadence
    yearly: Cadence


class Reviews(Section):
    """`insights.reviews`: how review cases reach Core Services. Times are in seconds.

    timeout_seconds bounds one try, whatever the answer does. backoff_seconds is the first pause between two tries of a
    case; each doubles, or is what Retry-After asks for, max_pause_seconds at most. A case is given up after
    max_attempts; a run stops after stop_after_undelivered cases in a row that used up attempts_per_run.
    """

    url: str
    token: str
    timeout_seconds: PositiveFloat
    attempts_per_run: PositiveInt
    max_attempts: PositiveInt
    backoff_seconds: PositiveFloat
    max_pause_seconds: PositiveFloat
    stop_after_undelivered: PositiveInt


class Insights(Section):
    """The `insights:` subtree."""

    environment: str
    warehouse: Warehouse
    source: Source
    etl: Etl
    cache: Cache
    retention: Retention
    backups: Backups
    exports: Exports
    patterns: Patterns
    reviews: Reviews


class ConfigFile(Section):
    """config/insights/config.yaml as a whole."""

    metadata: Metadata
    insights: Insights


class Escalation(Section):
    """One severity of `severity_policy`."""

    immediate_escalation: bool


class SeverityPolicy(Section):
    """`severity_policy` of a profile."""

    critical: Escalation
    major: Escalation
    minor: Escalation


class TaskMetadata(Section):
    """`default_task_metadata` of a profile."""

    visibility: Visibility
    default_priority: Priority
    default_reactivity_seconds: PositiveInt


class Schedule(Section):
    """Which reviews a profile wants."""

    weekly: bool
    monthly: bool
    yearly: bool


class IncidentFrequency(Section):
    """`threshold_triggers.incident_frequency`."""

    min_events: PositiveInt
    window_days: PositiveInt


class Triggers(Section):
    """`cyclic_overview.threshold_triggers`."""

    incident_frequency: IncidentFrequency
    cross_departmental_trends: bool
    high_risk_indicators: bool


class CyclicOverview(Section):
    """`cyclic_overview` of a profile."""

    enabled: bool
    schedule: Schedule
    threshold_triggers: Triggers


class Profile(Section):
    """One organization profile (source contract, section 4)."""

    description: str
    metadata: dict[str, str] = Field(default_factory=dict)
    reactivity_seconds: PositiveInt
    max_escalation_seconds: PositiveInt
    transparency_level: Literal["full", "balanced", "restricted", "private"]
    escalation_granularity: Literal["relaxed", "moderate", "detailed", "aggressive"]
    review_frequency: str
    notification_scope: Literal["user", "team", "department", "org_wide"]
    pattern_sensitivity: Literal["low", "medium", "high", "critical"]
    pattern_window_days: PositiveInt
    pattern_min_events: PositiveInt
    severity_threshold: Severity
    severity_policy: SeverityPolicy
    logging_level: str
    log_retention_days: PositiveInt
    automation_level: str
    default_task_metadata: TaskMetadata
    cyclic_overview: CyclicOverview

    @field_validator("notification_scope", mode="before")
    @classmethod
    def _without_alias(cls, value: object) -> object:
        """Doc 7 also writes individual for user and small_team for team."""
        return {"individual": "user", "small_team": "team"}.get(str(value), value)


class ProfilesFile(Section):
    """config/organization_profiles.yaml as a whole, templates left out."""

    metadata: Metadata
    profiles: dict[str, Profile]

    @field_validator("profiles", mode="before")
    @classmethod
    def _without_templates(cls, value: object) -> object:
        """Keys that start with `_` are templates, not profiles."""
        return {k: v for k, v in value.items() if not str(k).startswith("_")} if isinstance(value, dict) else value
