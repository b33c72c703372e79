"""The sections of config/insights/config.yaml about what leaves Insights (specification, sections 1.4, 2.4 and 6)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from orchestration.config.tokens import (
    CaseLink,
    ClockSkew,
    Count,
    Days,
    GroupSize,
    MailAddress,
    Moment,
    Origin,
    PageAddress,
    PerEnvironment,
    Place,
    Port,
    Seconds,
    Section,
    Switch,
    TaskLink,
    Text,
    Token,
    Visibility,
)

# Milliseconds that an answer may take in addition to its statement: to get a connection, and for the client's limit.
EXTRA_MS = 400
_ABSOLUTE = r"^/[^\s'\"$%]*$"  # without what a shell, a crontab or a configuration file would read otherwise


class ScheduledExport(Section):
    """One of `insights.exports.scheduled`: an export that a DAG makes after its load or review (decision D226)."""

    name: Token = Field(description="Name of the file, before its first day; unique.")
    export: Token = Field(description="What is exported: a name of `insights exports list`.")
    organization: Text = Field(description="Slug or id of the organization.")
    user: Text = Field(description="Id of the user on whose behalf it is made; active in the organization.")
    every: Literal["day", "week", "month"] = Field(
        description="The period that ended last: the day before, the week from Monday, or the month."
    )
    format: Text = Field(default="csv", description="File format.")
    place: Place | None = Field(
        default=None, description="Where it goes, such as s3://BUCKET/PREFIX; null is the folder of exports."
    )


class Exports(Section):
    """`insights.exports` (section 2.4)."""

    max_rows_per_export: PerEnvironment = Field(description="Maximum number of rows; a larger export is refused.")
    max_parallel_exports_per_user: PerEnvironment = Field(description="Maximum number of parallel exports of one user.")
    max_rows_per_user_per_day: PerEnvironment | None = Field(
        default=None, description="Maximum number of rows that one user exports on one UTC day; null is no limit."
    )
    pii_masking_enabled: Switch = Field(description="Whether personal columns are masked.")
    allowed_visibilities: list[Visibility] = Field(
        description="Visibilities of rows that may be exported: PUBLIC, INTERNAL."
    )
    min_group_size: GroupSize = Field(
        default=5, description="Minimum size of a group in aggregates (decision D12); 2 or more."
    )
    connection_url: str = Field(
        default="${INSIGHTS_EXPORT_WAREHOUSE_URL}",
        description="URL of the database for `warehouse.export_user`; without it, exports connect as `write_user`.",
    )
    directory: Text = Field(
        default="${INSIGHTS_EXPORT_DIR}", description="Folder for exported files; an absolute path."
    )
    scheduled: list[ScheduledExport] = Field(
        default=[], description="Exports that the DAGs make of each day, week or month."
    )


class ReportsApi(Section):
    """`insights.reports_api`: the service that `insights api` starts (sections 1.4 and 6.1).

    The keys that tokens are verified with are read from the environment only (`Settings.token_secret`, `.token_keys`).
    """

    host: Text = Field(default="127.0.0.1", description="Address to listen on.")
    port: Port = Field(default=8080, description="Port to listen on.")
    threads: Count = Field(default=8, description="Number of questions that one process answers at the same time.")
    timeout_ms: Count = Field(
        default=1300,
        description=f"Time limit of a statement, in milliseconds; the answer takes at most {EXTRA_MS} more.",
    )
    busy_ms: Count = Field(
        default=250, description="Time for which a request waits for a free thread, in milliseconds, before a 503."
    )
    recent_ms: Moment = Field(
        default=5000,
        description="Time for which a process gives an answer again without asking the cache, in milliseconds.",
    )
    retry_after_seconds: Count = Field(
        default=1, description="The Retry-After of an answer with status 503, in seconds."
    )
    requests_per_minute: Count = Field(
        default=600, description="Requests that one user may make in a minute at one process; then the answer is 429."
    )
    cors_origins: list[Origin] = Field(
        default=[],
        description="Origins whose pages may read answers, and frame and log in the page, such as https://orgo.example.org.",
    )
    case_link: CaseLink | None = Field(
        default=None,
        description="Address of a case in Orgo, such as https://orgo.example.org/cases/{case_id}; null: none.",
    )
    task_link: TaskLink | None = Field(
        default=None,
        description="Address of a task in Orgo, such as https://orgo.example.org/tasks/{task_id}; null: none.",
    )
    token_algorithm: Literal["HS256", "RS256", "ES256"] = Field(
        default="HS256", description="The only algorithm of tokens: HS256 with a secret, the others with a JWKS."
    )
    token_audience: Text | None = Field(
        default=None, description="The `aud` of tokens; null refuses tokens that have one."
    )
    clock_skew_seconds: ClockSkew = Field(
        default=30, description="Seconds by which the clock of the issuer of tokens may differ."
    )
    superuser_roles: list[Text] = Field(
        default=[], description="Roles that may ask about every organization, with the visibilities of their roles."
    )


class Metrics(Section):
    """`insights.metrics`: the exporter that `insights metrics serve` starts (section 6.3)."""

    host: Text = Field(default="127.0.0.1", description="Address to listen on.")
    port: Port = Field(default=9108, description="Port to listen on.")
    timeout_ms: Count = Field(default=5000, description="Time limit of each statement of a scrape, in milliseconds.")


class Alerts(Section):
    """`insights.alerts`: who is told when a run of a DAG fails, and when the DAG is well again (section 6.3).

    Mail goes to `etl.owner_email`.
    """

    webhook_url: str = Field(
        default="${INSIGHTS_ALERT_WEBHOOK_URL}",
        description="Address that takes messages as Slack's incoming webhooks do; keep it in the environment.",
    )
    smtp_url: str = Field(
        default="${INSIGHTS_ALERT_SMTP_URL}",
        description="Mail server, such as smtp://user:password@mail.example.org:587; keep it in the environment.",
    )
    mail_from: Text = Field(default="orgo-insights@localhost", description="Sender of the mails.")
    timeout_seconds: Seconds = Field(default=20, description="Time limit of one delivery, in seconds.")


class DigestRecipient(Section):
    """One of `insights.digests.recipients`: who gets the digests of an organization, and by mail or webhook (D252)."""

    name: Token = Field(description="Name of the recipient; unique. With another name, digests are sent again.")
    organization: Text = Field(description="Slug or id of the organization.")
    roles: Annotated[list[Text], Field(min_length=1)] = Field(
        description="Codes of the roles that its readers all have; the digest has what `access` lets these see."
    )
    scope: Literal["user", "team", "department", "org_wide"] = Field(
        description="Who reads it; at most `notification_scope` of the profile of the organization."
    )
    cadences: Annotated[list[Literal["weekly", "monthly", "yearly"]], Field(min_length=1)] = Field(
        default=["weekly", "monthly", "yearly"], description="The reviews that it gets digests of."
    )
    mail: MailAddress | None = Field(default=None, description="Mail address; null for a webhook.")
    webhook_url: Text | None = Field(
        default=None,
        description="Address that takes the digest as JSON, such as ${CHAT_URL}; keep it in the environment.",
    )
    paused: Switch = Field(default=False, description="Whether nothing is sent to it for now.")


class Digests(Section):
    """`insights.digests`: reviews as messages to people (sections 4.1 and 2.5, decision D252)."""

    recipients: list[DigestRecipient] = Field(default=[], description="Who gets digests.")
    paused: Switch = Field(default=False, description="Whether no digest is sent for now.")
    page_url: PageAddress | None = Field(
        default=None, description="Address of the page, such as https://insights.example.org/; null: no links."
    )
    max_patterns: Count = Field(default=20, description="Maximum number of patterns listed below one heading.")
    max_kilobytes: Count = Field(
        default=1000, description="Maximum size of a message; a larger one has no pictures, then it has failed."
    )
    max_age_days: Days = Field(
        default=10, description="Days after a review for which its digests are sent and tried again."
    )
    attempts_per_run: Count = Field(default=3, description="Maximum number of attempts for one digest in one run.")
    pause_seconds: Seconds = Field(default=5, description="Pause between two of them, in seconds.")
    timeout_seconds: Seconds = Field(default=20, description="Time limit of one attempt, in seconds.")


class Backups(Section):
    """`insights.backups` (section 2.2): what may be lost, how long a recovery may take, and where backups are."""

    rpo_minutes: PerEnvironment = Field(
        description="Maximum data loss, in minutes; at most the shortest critical window."
    )
    rto_minutes: PerEnvironment = Field(description="Maximum duration of a recovery, in minutes.")
    keep_days: Days = Field(
        default=30,
        description="Days for which full backups, what they need, and dumps of Airflow's metadata are kept.",
    )
    stanza: Token = Field(default="insights", description="Name of the server of the warehouse in pgBackRest.")
    repository: str = Field(
        default="${INSIGHTS_BACKUP_REPOSITORY}",
        description="Absolute path, or s3://bucket/path; without it, Insights backs up nothing.",
    )
    airflow_directory: str = Field(
        default="${INSIGHTS_BACKUP_AIRFLOW_DIR}", description="Folder for dumps of Airflow's metadata; absolute."
    )
    directory: Annotated[str, Field(pattern=_ABSOLUTE)] = Field(
        default="/var/lib/orgo-insights-backup",
        description="Folder on the server of the warehouse for pgbackrest.conf, locks and drills; absolute.",
    )
    processes: Count = Field(default=2, description="Number of processes of pgBackRest.")
    s3_endpoint: Annotated[str, Field(pattern=r"^[a-zA-Z0-9.-]+(:[0-9]{1,5})?$")] = Field(
        default="s3.amazonaws.com", description="Host and port of the object storage, without https://."
    )
    s3_region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = Field(
        default="us-east-1", description="Region of the bucket."
    )
    s3_ca_file: Annotated[str, Field(pattern=_ABSOLUTE)] | None = Field(
        default=None, description="Certificates for an endpoint with a private authority, an absolute path; or null."
    )
