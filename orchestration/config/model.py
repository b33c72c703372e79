"""The schema of config/insights/config.yaml (specification, section 3.1, and the keys of decision D2).

A key that the specification names has no default and must be in the file. Every other key has a default here, so that a
file from before the key exists still works (decision D158).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from orchestration.config.outputs_model import Alerts, Backups, Digests, Exports, Metrics, ReportsApi
from orchestration.config.tokens import (
    Count,
    Days,
    Environment,
    Metadata,
    PerEnvironment,
    Seconds,
    Section,
    Share,
    SqlName,
    Switch,
    Text,
    Watched,
)

FORMAT_VERSION = "3.0"


class ReaderLimits(Section):
    """`insights.warehouse.reader_limits`: what readers may use of the server (D151).

    `insights init` sets the limits on the read-only role, `insights reader add` those of sessions on a login.
    """

    connections: Count = Field(default=40, description="Maximum number of connections of the role, of all processes.")
    login_connections: Count = Field(
        default=4, description="Maximum number of connections of the login of one organization (`insights reader`)."
    )
    statement_seconds: Count = Field(default=300, description="Time limit of a statement, in seconds.")
    idle_in_transaction_seconds: Count = Field(default=600, description="The same of an idle transaction, in seconds.")
    temp_file_mb: Count = Field(default=2048, description="Maximum size of the temporary files of a session, in MB.")


class Warehouse(Section):
    """`insights.warehouse`: where the star schema is."""

    type: Literal["postgres", "duckdb", "bigquery", "snowflake"] = Field(description="postgres; duckdb, snowflake.")
    connection_url: Text = Field(description="URL of the database; keep it in the environment, not in the file.")
    path: str = Field(
        default="${INSIGHTS_DUCKDB_PATH}", description="File of the warehouse, an absolute path; only with type duckdb."
    )
    serving_url: str = Field(
        default="${INSIGHTS_SERVING_URL}", description="URL of the database of `insights publish`; only with duckdb."
    )
    publication_late_hours: Count = Field(default=36, description="Age of published data that is late, in hours.")
    schema_name: SqlName = Field(alias="schema", description="Schema of the marts; other schema names begin with it.")
    read_only_user: SqlName = Field(description="Role for dashboards; it cannot read personal columns.")
    write_user: SqlName = Field(description="Role for loads.")
    export_user: SqlName = Field(
        default="orgo_insights_export", description="Role for exports; it reads personal columns masked only (D174)."
    )
    max_reader_connections: Count = Field(default=8, description="Maximum number of connections of a serving process.")
    reader_limits: ReaderLimits = ReaderLimits()


class Source(Section):
    """`insights.source`: where Orgo's operational tables are."""

    schema_name: SqlName = Field(default="public", alias="schema", description="Schema of the operational tables.")
    snapshot_directory: str = Field(
        default="${INSIGHTS_SNAPSHOT_DIR}",
        description="Folder of `insights snapshot` that a file of DuckDB reads, an absolute path.",
    )


class SourceHours(Section):
    """One table of `insights.etl.source_hours`; what is left out is that of all tables."""

    stale: Count | None = Field(default=None, description="Instead of `etl.source_stale_hours`.")
    stopped: Count | None = Field(default=None, description="Instead of `etl.source_stopped_hours`.")


class Etl(Section):
    """`insights.etl`: how loads work."""

    owner_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] = Field(description="Contact for failed loads.")
    default_batch_size: Count = Field(description="Rows in one batch of a purge.")
    max_batch_size: Count = Field(
        description="Maximum number of rows in one batch, with those that go with them; more only where one row has."
    )
    concurrency: Count = Field(description="Number of dbt threads.")
    extra_connections: Count = Field(
        default=3,
        description="Connections of a load in addition to those of the threads; `insights init` warns if the read-only"
        " role leaves fewer than both.",
    )
    queue: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = Field(
        default="insights_etl", description="Celery queue of the steps that write marts; LocalExecutor has none."
    )
    swap_attempts: Count = Field(
        default=60,
        description="Attempts to lock a relation whose definition changes, while others read it; one a second.",
    )
    overlap_hours: Count = Field(default=6, description="Hours before the last load whose changes are read again.")
    source_stale_hours: Count = Field(
        default=72, description="Hours without a change of a table of tasks after which Orgo may have stopped."
    )
    source_stopped_hours: Count = Field(
        default=168, description="Hours without a change of a table of tasks after which Orgo has stopped."
    )
    source_hours: dict[Watched, SourceHours] = Field(
        default={}, description="Both of these for single tables that rest for longer, or never, by the table."
    )
    late_after_minutes: Count = Field(
        default=60, description="Minutes after the scheduled time of a DAG at which a mart without its load is late."
    )
    max_vanished_share: Share = Field(
        default=0.2, description="Share of the rows of an operational table that may vanish between two loads."
    )
    min_vanished_rows: Count = Field(
        default=20,
        description="Number of vanished rows of a table below which no load stops, unless the table is empty now or"
        " it is `organizations`.",
    )
    max_share_behind_cutoff: Share = Field(
        default=0.5, description="Share of the rows in retention that a load may put out of retention unconfirmed."
    )


def silent_hours(etl: Etl, table: Watched) -> tuple[int, int]:
    """Return after how many hours without a change of a table Orgo may have stopped, and after how many it has."""
    own = etl.source_hours.get(table, SourceHours())
    return own.stale or etl.source_stale_hours, own.stopped or etl.source_stopped_hours


class CacheTtl(Section):
    """`insights.cache.ttl_seconds` (section 2.3): seconds for which an entry is fresh."""

    dashboard_default: PerEnvironment = Field(description="For ordinary dashboards, in seconds.")
    dashboard_slow: PerEnvironment = Field(description="For expensive dashboards, in seconds.")
    streaming_like: PerEnvironment = Field(description="For near-real-time views, in seconds.")


class Cache(Section):
    """`insights.cache` (section 2.3)."""

    backend: Literal["redis"] = Field(description="Cache engine.")
    url: Text = Field(description="URL of the cache; keep it in the environment, not in the file.")
    ttl_seconds: CacheTtl
    max_keys_per_dashboard: PerEnvironment = Field(description="Maximum number of entries of one dashboard.")
    stale_seconds: Count = Field(
        default=900, description="Seconds for which an entry stays readable as stale after it was fresh."
    )
    compute_seconds: Count = Field(
        default=30, description="Time limit of a computation, and of waiting for one, in seconds."
    )
    warm_seconds: Seconds = Field(default=600, description="Time limit of a warm-up, in seconds.")
    timeout_ms: Count = Field(default=200, description="Time limit of a call to the cache, in milliseconds.")
    pause_seconds: Seconds = Field(default=5, description="Seconds without calls to the cache after a failure.")


class Retention(Section):
    """`insights.retention` (section 2.1), in days before `as_of`."""

    raw_event_retention_days: PerEnvironment = Field(description="For facts; at least the window of every review.")
    aggregated_retention_days: PerEnvironment = Field(description="For monthly aggregates; at least that of the facts.")
    pattern_result_retention_days: PerEnvironment = Field(description="For pattern rows; at least the yearly window.")


class Cadence(Section):
    """Thresholds of one review: `patterns.weekly`, `monthly` or `yearly` (section 3.1)."""

    window_days: Days = Field(description="Length of the window before the review date, in days.")
    min_events: Count = Field(description="Minimum number of similar incidents in a pattern.")
    min_distinct_sources: Count = Field(description="Minimum number of different reporters in a pattern.")


class Patterns(Section):
    """`insights.patterns` (sections 3.1 and 3.2)."""

    default_profile_key: Text = Field(description="Profile of organizations that chose none; from the profiles file.")
    overrides_by_domain: dict[str, Text] = Field(
        description="Profile by domain (Task.type); it takes precedence over that of the organization."
    )
    weekly: Cadence
    monthly: Cadence
    yearly: Cadence


class Reviews(Section):
    """`insights.reviews`: how review cases are sent to Core Services."""

    url: str = Field(
        default="${INSIGHTS_CORE_API_URL}", description="URL to post cases to; without it, they are only printed."
    )
    token: str = Field(
        default="${INSIGHTS_CORE_API_TOKEN}",
        description="Bearer token; keep it in the environment, not in the file.",
    )
    timeout_seconds: Seconds = Field(default=10, description="Time limit of one attempt, in seconds.")
    attempts_per_run: Count = Field(default=4, description="Maximum number of attempts for one case in one run.")
    max_attempts: Count = Field(
        default=12, description="Maximum number of attempts for one case in all runs; then it has failed."
    )
    backoff_seconds: Seconds = Field(
        default=1, description="First pause between attempts, in seconds; it doubles each time."
    )
    max_pause_seconds: Seconds = Field(
        default=60, description="Longest pause, in seconds, also for a longer Retry-After."
    )
    stop_after_undelivered: Count = Field(
        default=3, description="Number of undelivered cases in a row after which a run stops."
    )


class Access(Section):
    """`insights.access` (section 2.5): role codes by visibility. `*` is every role."""

    public_roles: list[Text] = Field(default=["*"], description="Roles for PUBLIC analytics.")
    internal_roles: list[Text] = Field(
        default=["*"], description="Roles for INTERNAL analytics; each must be public too."
    )
    restricted_roles: list[Text] = Field(
        default=[], description="Roles for RESTRICTED analytics; each must be internal too."
    )
    anonymised_roles: list[Text] = Field(
        default=[], description="Roles for anonymised outputs, also of sensitive domains."
    )


class Anomalies(Section):
    """`insights.anomalies`: warnings of unusual days (decision D223)."""

    days: Days = Field(default=7, description="Last days before the horizon that are judged.")
    weeks: Count = Field(default=8, description="Weeks before each of them with which it is compared.")
    factor: Count = Field(default=2, description="How many times the most, or what part of the least, is unusual.")
    min_tasks: Count = Field(default=20, description="Tasks of an average day; with fewer, no day is judged.")
    max_share_change: Share = Field(default=0.2, description="How far a share of missing values may leave its band.")


class Offline(Section):
    """`insights.offline`: the environment without a network (decision D9)."""

    enabled: Switch = Field(
        default=False, description="Whether DAGs and exports run in offline, on an imported snapshot."
    )


class Insights(Section):
    """The `insights:` subtree."""

    environment: Environment = Field(description="Must equal INSIGHTS_ENV.")
    warehouse: Warehouse
    source: Source = Field(default_factory=Source)
    etl: Etl
    cache: Cache
    retention: Retention
    backups: Backups
    exports: Exports
    access: Access = Field(default_factory=Access)
    patterns: Patterns
    reviews: Reviews = Field(default_factory=Reviews)
    anomalies: Anomalies = Field(default_factory=Anomalies)
    offline: Offline = Field(default_factory=Offline)
    reports_api: ReportsApi = Field(default_factory=ReportsApi)
    metrics: Metrics = Field(default_factory=Metrics)
    alerts: Alerts = Field(default_factory=Alerts)
    digests: Digests = Field(default_factory=Digests)


class ConfigFile(Section):
    """The file config/insights/config.yaml."""

    metadata: Metadata | None = Field(default=None, description="Version and date of the file.")
    insights: Insights

    @property
    def version(self) -> str:
        """The version of Orgo's format; that of this release if the file has no metadata."""
        return self.metadata.version if self.metadata else FORMAT_VERSION


class PatternsSubtree(Section):
    """The `insights:` subtree of a file that overrides thresholds."""

    patterns: dict[str, object]


class PatternsFile(Section):
    """The file of INSIGHTS_PATTERN_CONFIG_PATH: keys of `patterns`, with or without `insights:` above.

    Their values are checked after they have replaced those of config.yaml.
    """

    metadata: Metadata | None = None
    insights: PatternsSubtree | None = None
    patterns: dict[str, object] | None = None
