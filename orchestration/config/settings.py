"""The settings: typed values of the configuration for one ENVIRONMENT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from orchestration.config.dag_model import Dag, DagsFile
from orchestration.config.expansion import expand
from orchestration.config.keys import LEAST_BYTES, REMEDY, weakness
from orchestration.config.model import ConfigFile, Insights
from orchestration.config.outputs_model import DigestRecipient
from orchestration.config.problems import KeyPath
from orchestration.config.profile_model import Profile, ProfilesFile, without_templates
from orchestration.config.secrets.by_file import Variables
from orchestration.config.tokens import Environment
from orchestration.config.variables import BACKUP_KEY, CACHE_KEY, EXPORT_KEY, PROXY_SECRET, TOKEN_JWKS, TOKEN_SECRET
from orchestration.config.yaml_reader import Place
from orchestration.errors import MisconfiguredError, RefusedError

NEEDS_SERVER = "This needs PostgreSQL, and insights.warehouse.type is {}: "
NO_SERVICES = (
    "a file can be built and queried, but has no services. Let INSIGHTS_SERVING_URL name a database for insights"
    " publish (docs/engines/publish.md), or use a configuration with warehouse.type: postgres."
)
ON_SNOWFLAKE = (
    "there, insights init, build, rebuild, purge, docs and env work (docs/engines/snowflake.md). Use a configuration"
    " with warehouse.type: postgres."
)


@dataclass(frozen=True)
class Settings:
    """The configuration for the ENVIRONMENT of INSIGHTS_ENV (specification, sections 2.6 and 5).

    `dags` are by key of the inventory (`weekly_pattern_review`), not by id. `version` is `metadata.version` of
    config.yaml. `places` has file and line of each value.
    """

    environment: Environment
    insights: Insights
    profiles: dict[str, Profile]
    dags: dict[str, Dag]
    version: str
    places: Mapping[KeyPath, Place] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def in_part(
        cls,
        environment: Environment,
        places: Mapping[KeyPath, Place],
        config: ConfigFile,
        dags: DagsFile,
        profiles: ProfilesFile,
    ) -> Settings:
        """Return partial settings of invalid files, for rules only; invalid values are missing attributes or keys."""
        part = cls.__new__(cls)
        known = {"environment": environment, "places": places, **vars(config)}
        if "etl_dags" in vars(dags):
            known["dags"] = dags.etl_dags
        if "profiles" in vars(profiles):
            known["profiles"] = without_templates(profiles.profiles)
        vars(part).update({name: value for name, value in known.items() if name != "metadata"})
        return part

    @property
    def is_duckdb(self) -> bool:
        """Whether the warehouse is a file of DuckDB and no server."""
        return self.insights.warehouse.type == "duckdb"

    @property
    def is_snowflake(self) -> bool:
        """Whether the warehouse is in Snowflake."""
        return self.insights.warehouse.type == "snowflake"

    @cached_property
    def warehouse_url(self) -> str:
        """The URL of the PostgreSQL that answers: the warehouse, or where `insights publish` copies it (decision D263).

        Every command that needs PostgreSQL asks for it here. Raises like `check_server`, and MisconfiguredError if
        INSIGHTS_WAREHOUSE_URL is not set.
        """
        self.check_server()
        return self.serving_url or self.postgres_url

    @cached_property
    def serving_url(self) -> str | None:
        """The URL of the serving database; None for a warehouse that is PostgreSQL, or without INSIGHTS_SERVING_URL."""
        return _optional(self.insights.warehouse.serving_url) if self.is_duckdb else None

    def check_server(self) -> None:
        """Raise RefusedError if no PostgreSQL answers: the warehouse is elsewhere, and there is no serving database."""
        if self.is_duckdb and not self.serving_url:
            self.check_loads(NO_SERVICES)
        if self.is_snowflake:
            self.check_loads(ON_SNOWFLAKE)

    def check_loads(self, instead: str) -> None:
        """Raise RefusedError unless the warehouse is PostgreSQL, for work on what loads leave in it.

        `instead` ends the message for a file of DuckDB: why a serving database does not do, and what to do.
        """
        if self.is_duckdb or self.is_snowflake:
            says = instead if self.is_duckdb else ON_SNOWFLAKE
            raise RefusedError(f"{NEEDS_SERVER.format(self.insights.warehouse.type)}{says}")

    @property
    def build_url(self) -> str | None:
        """The URL of the PostgreSQL that loads write; None for another engine. Raises MisconfiguredError if not set."""
        return None if self.is_duckdb or self.is_snowflake else self.postgres_url

    def of_postgres(self) -> Settings:
        """Return these settings for work on Orgo's PostgreSQL, whatever the warehouse is."""
        warehouse = self.insights.warehouse.model_copy(update={"type": "postgres"})
        return replace(self, insights=self.insights.model_copy(update={"warehouse": warehouse}))

    @cached_property
    def postgres_url(self) -> str:
        """The URL of Orgo's PostgreSQL, whatever the warehouse is; raises MisconfiguredError if it is not set."""
        return _required("insights.warehouse.connection_url", self.insights.warehouse.connection_url)

    @cached_property
    def duckdb_path(self) -> Path:
        """The file of the warehouse; raises MisconfiguredError if it is not set or not an absolute path."""
        return _absolute("insights.warehouse.path", self.insights.warehouse.path)

    @cached_property
    def snapshot_directory(self) -> Path:
        """The folder of the snapshot; raises MisconfiguredError if it is not set or not an absolute path."""
        return _absolute("insights.source.snapshot_directory", self.insights.source.snapshot_directory)

    @cached_property
    def export_url(self) -> str:
        """The URL with which exports connect (decision D174).

        It is that of the role of exports. Without one, and where masks are turned off, it is `warehouse_url`, because
        that role reads no column without its mask. Raises like `warehouse_url`.
        """
        self.check_server()
        own = _optional(self.insights.exports.connection_url)
        return own if own and self.insights.exports.pii_masking_enabled else self.warehouse_url

    @property
    def has_export_url(self) -> bool:
        """Whether exports have an address of their own."""
        return _optional(self.insights.exports.connection_url) is not None

    @property
    def has_export_key(self) -> bool:
        """Whether INSIGHTS_EXPORT_KEY is set."""
        return bool(Variables().get(EXPORT_KEY))

    @property
    def export_key(self) -> bytes:
        """The secret for masking exports; raises MisconfiguredError if INSIGHTS_EXPORT_KEY is not set or weak."""
        key = Variables().get(EXPORT_KEY, "").encode(errors="surrogateescape")
        says = weakness(key) if key else f"is not set; it must have at least {LEAST_BYTES} bytes; {REMEDY}"
        if says:
            raise MisconfiguredError(
                f"Personal columns are masked with the environment variable {EXPORT_KEY}, which {says}"
            )
        return key

    @property
    def cache_key(self) -> bytes | None:
        """The secret that seals the cache; None if INSIGHTS_CACHE_KEY is not set. Raises MisconfiguredError if weak."""
        return _secret(CACHE_KEY)

    @property
    def token_secret(self) -> bytes | None:
        """The secret of HS256 tokens; None if INSIGHTS_TOKEN_SECRET is not set. Raises MisconfiguredError if weak."""
        return _secret(TOKEN_SECRET)

    @property
    def backup_key(self) -> str | None:
        """The secret of encrypted backups; None if INSIGHTS_BACKUP_KEY is not set. Raises like `token_secret`."""
        key = _secret(BACKUP_KEY)
        return key.decode(errors="surrogateescape") if key else None

    @cached_property
    def backup_repository(self) -> str | None:
        """The path or s3:// address of backups; None if INSIGHTS_BACKUP_REPOSITORY is not set: no backups."""
        return _optional(self.insights.backups.repository)

    @property
    def backup_airflow_directory(self) -> str | None:
        """The folder for dumps of Airflow's metadata; None if INSIGHTS_BACKUP_AIRFLOW_DIR is not set: no dumps."""
        return _optional(self.insights.backups.airflow_directory)

    @property
    def proxy_secret(self) -> bytes | None:
        """The secret of a trusted gateway; None if INSIGHTS_PROXY_SECRET is not set. Raises like `token_secret`."""
        return _secret(PROXY_SECRET)

    @property
    def token_keys(self) -> str | None:
        """The path or address of the keys of RS256 and ES256 tokens; None if INSIGHTS_TOKEN_JWKS is not set."""
        return Variables().get(TOKEN_JWKS) or None

    @cached_property
    def redis_url(self) -> str | None:
        """The URL of the cache; None if INSIGHTS_REDIS_URL is not set, which means no cache."""
        return _optional(self.insights.cache.url)

    @cached_property
    def core_api_url(self) -> str | None:
        """The URL to post review cases to; None if INSIGHTS_CORE_API_URL is not set, which means a dry run."""
        return _optional(self.insights.reviews.url)

    @cached_property
    def core_api_token(self) -> str | None:
        """The bearer token of Core Services; None if INSIGHTS_CORE_API_TOKEN is not set."""
        return _optional(self.insights.reviews.token)

    @cached_property
    def alert_webhook(self) -> str | None:
        """The URL to post alerts to; None if INSIGHTS_ALERT_WEBHOOK_URL is not set."""
        return _optional(self.insights.alerts.webhook_url)

    @cached_property
    def alert_smtp(self) -> str | None:
        """The URL of the mail server for alerts; None if INSIGHTS_ALERT_SMTP_URL is not set."""
        return _optional(self.insights.alerts.smtp_url)

    def digest_webhook(self, recipient: DigestRecipient) -> str | None:
        """Return the URL to post the digests of a recipient to; None if it has none or a variable is not set."""
        return _optional(recipient.webhook_url) if recipient.webhook_url else None

    @cached_property
    def export_directory(self) -> Path:
        """The folder for exported files; raises MisconfiguredError if it is not set or not an absolute path."""
        return _absolute("insights.exports.directory", self.insights.exports.directory)

    @cached_property
    def export_bucket(self) -> str:
        """The bucket for exported objects; raises MisconfiguredError if INSIGHTS_EXPORT_S3_BUCKET is not set."""
        bucket = Variables().get("INSIGHTS_EXPORT_S3_BUCKET", "")
        if not bucket:
            raise MisconfiguredError("The environment variable INSIGHTS_EXPORT_S3_BUCKET, the bucket, is not set.")
        return bucket

    @cached_property
    def default_profile_key(self) -> str:
        """The profile of organizations that chose none; INSIGHTS_DEFAULT_PROFILE_KEY takes precedence over the file."""
        return Variables().get("INSIGHTS_DEFAULT_PROFILE_KEY") or self.insights.patterns.default_profile_key

    def is_enabled(self, dag: str, environment: Environment | None = None) -> bool:
        """Return whether a DAG, by its key of the inventory, runs in an environment (default: that of the settings).

        In `offline`, `insights.offline.enabled` enables every DAG (decision D9).
        """
        environment = environment or self.environment
        is_named = environment in self.dags[dag].enabled_environments
        return is_named or (environment == "offline" and self.insights.offline.enabled)

    def check_offline(self, work: str) -> None:
        """Raise RefusedError in `offline` unless `insights.offline.enabled` is true (decision D9).

        `work` names what is disabled, as the subject of a sentence in the plural. Every function calls this that
        loads or purges, fills the cache, or sends data elsewhere, which a DAG does in other environments.
        """
        if self.environment == "offline" and not self.insights.offline.enabled:
            raise RefusedError(
                f"{work} are disabled in offline. Set INSIGHTS_ENV to another environment, or insights.offline.enabled"
                " in config/insights/config.yaml to true (decision D9)."
            )


def _secret(name: str) -> bytes | None:
    key = Variables().get(name, "").encode(errors="surrogateescape")
    if key and (weak := weakness(key)):
        raise MisconfiguredError(f"The environment variable {name} {weak}")
    return key or None


def _required(key: str, value: str) -> str:
    text, missing = expand(value, Variables())
    if missing:
        raise MisconfiguredError(f"{key} is read from the environment variable {missing[0]}, which is not set.")
    return text


def _absolute(key: str, value: str) -> Path:
    path = Path(_required(key, value))
    if not path.is_absolute():
        raise MisconfiguredError(f"{key} must be an absolute path, not {str(path)!r}.")
    return path


def _optional(value: str) -> str | None:
    text, missing = expand(value, Variables())
    return None if missing else text or None
