"""The shape of config/insights/config.yaml (specification, section 3.1, and the keys of decision D2)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from orchestration.config.tokens import (
    Count,
    Days,
    Environment,
    GroupSize,
    Metadata,
    PerEnvironment,
    Seconds,
    Section,
    SqlName,
    Switch,
    Text,
    Visibility,
)


class Warehouse(Section):
    """`insights.warehouse`: where the star schema is."""

    type: Literal["postgres", "bigquery", "snowflake"] = Field(description="The engine; this release builds postgres.")
    connection_url: Text = Field(description="URL of the database; keep it in the environment, not in the file.")
    schema_name: SqlName = Field(alias="schema", description="Schema of the marts; others are named after it.")
    read_only_user: SqlName = Field(description="The role that dashboards read with; it sees no personal column.")
    write_user: SqlName = Field(description="The role that loads and exports.")
    max_reader_connections: Count = Field(
        default=8, description="Connections that one process answering dashboards opens at most."
    )


class Source(Section):
    """`insights.source`: where Orgo's operational tables are."""

    schema_name: SqlName = Field(alias="schema", description="Schema of the operational tables.")


class Etl(Section):
    """`insights.etl`: how loads work."""

    owner_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] = Field(description="Whom a failed load concerns.")
    default_batch_size: Count = Field(description="Rows in one batch of a purge, unless asked otherwise.")
    max_batch_size: Count = Field(description="The most rows that one batch may have.")
    concurrency: Count = Field(description="dbt's threads.")
    overlap_hours: Count = Field(description="How far a load looks back behind the last one, in hours.")


class CacheTtl(Section):
    """`insights.cache.ttl_seconds` (section 2.3): how long an entry counts as fresh."""

    dashboard_default: PerEnvironment = Field(description="Dashboards, in seconds.")
    dashboard_slow: PerEnvironment = Field(description="Expensive dashboards, in seconds.")
    streaming_like: PerEnvironment = Field(description="Near-real-time views, in seconds.")


class Cache(Section):
    """`insights.cache` (section 2.3)."""

    backend: Literal["redis"] = Field(description="Where results are kept.")
    url: Text = Field(description="URL of the cache; keep it in the environment, not in the file.")
    ttl_seconds: CacheTtl
    max_keys_per_dashboard: PerEnvironment = Field(description="The most entries of one dashboard.")
    stale_seconds: Count = Field(description="How long an entry stays readable, marked stale, after it was fresh.")
    compute_seconds: Count = Field(description="How long one computation may take, and others wait for it.")
    warm_seconds: Seconds = Field(description="How long one warm-up may take.")
    timeout_ms: Count = Field(description="How long the cache may take to answer, in milliseconds.")
    pause_seconds: Seconds = Field(description="How long a process leaves a cache alone that did not answer.")


class Retention(Section):
    """`insights.retention` (section 2.1), in days before the clock."""

    raw_event_retention_days: PerEnvironment = Field(description="Rows of the facts; at least every review's window.")
    aggregated_retention_days: PerEnvironment = Field(description="Monthly aggregates; at least as long as the facts.")
    pattern_result_retention_days: PerEnvironment = Field(description="Pattern rows; at least the yearly window.")


class Backups(Section):
    """`insights.backups` (section 2.2), in minutes."""

    rpo_minutes: PerEnvironment = Field(description="How much may be lost; at most the shortest critical window.")
    rto_minutes: PerEnvironment = Field(description="How long a recovery may take.")


class Exports(Section):
    """`insights.exports` (section 2.4)."""

    max_rows_per_export: PerEnvironment = Field(description="A larger export is refused, not cut.")
    max_parallel_exports_per_user: PerEnvironment = Field(description="Exports that one user may run at a time.")
    pii_masking_enabled: Switch = Field(description="Whether columns designated as personal are masked.")
    allowed_visibilities: list[Visibility] = Field(
        description="What may leave as rows: PUBLIC, INTERNAL; others never do."
    )
    min_group_size: GroupSize = Field(
        description="Smaller groups are suppressed in aggregates (decision D12); 2 or more."
    )
    directory: Text = Field(description="The one folder that files are exported into; an absolute path.")


class Cadence(Section):
    """Thresholds of one review (section 3.1, `patterns.weekly` and its kin)."""

    window_days: Days = Field(description="Days before the review date that count.")
    min_events: Count = Field(description="Similar incidents that make a pattern.")
    min_distinct_sources: Count = Field(description="Different reporters that a pattern needs.")


class Patterns(Section):
    """`insights.patterns` (sections 3.1 and 3.2)."""

    default_profile_key: Text = Field(description="The profile of whoever chose none; in the profiles file.")
    overrides_by_domain: dict[str, Text] = Field(
        description="Profile of a domain (Task.type), whatever the organization."
    )
    weekly: Cadence
    monthly: Cadence
    yearly: Cadence


class Reviews(Section):
    """`insights.reviews`: how review cases reach Core Services."""

    url: str = Field(description="Where cases are posted; without one, they are only printed.")
    token: str = Field(description="Bearer token; keep it in the environment, not in the file.")
    timeout_seconds: Seconds = Field(description="How long one attempt may take, whatever the answer does.")
    attempts_per_run: Count = Field(description="Attempts for one case in one run.")
    max_attempts: Count = Field(description="Attempts in all before a case is given up.")
    backoff_seconds: Seconds = Field(description="The first pause between attempts; each is twice the last.")
    max_pause_seconds: Seconds = Field(description="The longest pause, also when a Retry-After asks for more.")
    stop_after_undelivered: Count = Field(description="Cases in a row that used up a run's attempts and end it.")


class Access(Section):
    """`insights.access` (section 2.5): codes of roles that may see what. `*` is every role."""

    public_roles: list[Text] = Field(description="May see PUBLIC analytics.")
    internal_roles: list[Text] = Field(description="May see INTERNAL analytics; each must be a public role too.")
    restricted_roles: list[Text] = Field(description="May see RESTRICTED analytics; each must be an internal role too.")
    anonymised_roles: list[Text] = Field(description="May see anonymised outputs, even of sensitive domains.")


class Offline(Section):
    """`insights.offline`: the environment without a network (decision D9)."""

    enabled: Switch = Field(description="Whether loads run there, on an imported snapshot; otherwise they do nothing.")


class Insights(Section):
    """The `insights:` subtree."""

    environment: Environment = Field(description="Must be INSIGHTS_ENV's.")
    warehouse: Warehouse
    source: Source
    etl: Etl
    cache: Cache
    retention: Retention
    backups: Backups
    exports: Exports
    access: Access
    patterns: Patterns
    reviews: Reviews
    offline: Offline


class ConfigFile(Section):
    """config/insights/config.yaml as a whole."""

    metadata: Metadata
    insights: Insights


class PatternsSubtree(Section):
    """`insights:` of a file that overrides thresholds."""

    patterns: dict[str, object]


class PatternsFile(Section):
    """The file that INSIGHTS_PATTERN_CONFIG_PATH names: some keys of `patterns`, with or without `insights:` above.

    What the keys hold is checked after they have replaced those of config.yaml.
    """

    metadata: Metadata | None = None
    insights: PatternsSubtree | None = None
    patterns: dict[str, object] | None = None
