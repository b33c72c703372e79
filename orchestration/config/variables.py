"""The environment variables of Insights (specification, section 5) and the checks of their values."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestration.config.keys import weakness
from orchestration.config.masking import MASK, shown
from orchestration.config.problems import Problem, closest, nearest
from orchestration.config.tokens import ENVIRONMENTS


@dataclass(frozen=True)
class Variable:
    """One variable. The value of a secret is never shown, and a URL is shown without its password."""

    name: str
    used_by: str
    default: str = ""
    is_secret: bool = False

    @property
    def takes_file(self) -> bool:
        """Whether NAME_FILE may name a file with the value: secrets, and URLs, which have passwords; not Airflow's."""
        return (self.is_secret and not self.name.startswith(AIRFLOW)) or self.name.endswith("_URL")


AIRFLOW = "AIRFLOW__"
AIRFLOW_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
AIRFLOW_DATABASE_BEFORE = "AIRFLOW__CORE__SQL_ALCHEMY_CONN"
FERNET_KEY = "AIRFLOW__CORE__FERNET_KEY"
EXPORT_KEY = "INSIGHTS_EXPORT_KEY"
READER_PASSWORD = "INSIGHTS_READER_PASSWORD"  # noqa: S105 -- the name of a variable
CACHE_KEY = "INSIGHTS_CACHE_KEY"
TOKEN_SECRET = "INSIGHTS_TOKEN_SECRET"  # noqa: S105 -- the name of a variable
PROXY_SECRET = "INSIGHTS_PROXY_SECRET"  # noqa: S105 -- the name of a variable
TOKEN_JWKS = "INSIGHTS_TOKEN_JWKS"  # noqa: S105 -- the name of a variable
EXPORT_DIR = "INSIGHTS_EXPORT_DIR"
EXPORT_URL = "INSIGHTS_EXPORT_WAREHOUSE_URL"
EXPORT_BUCKET = "INSIGHTS_EXPORT_S3_BUCKET"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
AS_OF = "INSIGHTS_AS_OF"
ALERT_WEBHOOK = "INSIGHTS_ALERT_WEBHOOK_URL"
ALERT_SMTP = "INSIGHTS_ALERT_SMTP_URL"
BACKUP_REPOSITORY = "INSIGHTS_BACKUP_REPOSITORY"
BACKUP_AIRFLOW_DIR = "INSIGHTS_BACKUP_AIRFLOW_DIR"
BACKUP_KEY = "INSIGHTS_BACKUP_KEY"
BACKUP_S3_KEY = "INSIGHTS_BACKUP_S3_KEY"
BACKUP_S3_SECRET = "INSIGHTS_BACKUP_S3_SECRET"  # noqa: S105 -- the name of a variable
DUCKDB_PATH = "INSIGHTS_DUCKDB_PATH"
SNAPSHOT_DIR = "INSIGHTS_SNAPSHOT_DIR"
SERVING_URL = "INSIGHTS_SERVING_URL"
SNOWFLAKE_KEY = "SNOWFLAKE_PRIVATE_KEY_PATH"
SNOWFLAKE_KEY_PASSPHRASE = "PRIVATE_KEY_PASSPHRASE"  # noqa: S105 -- the name of a variable
SNOWFLAKE_PASSWORD = "SNOWFLAKE_PASSWORD"  # noqa: S105 -- the name of a variable
SNOWFLAKE_PORT = "SNOWFLAKE_PORT"
SNOWFLAKE_PROTOCOL = "SNOWFLAKE_PROTOCOL"
LEASE = "INSIGHTS_LEASE"
CONFIG = "INSIGHTS_CONFIG"
PROJECT_DIR = "INSIGHTS_PROJECT_DIR"
PREFIX = "INSIGHTS_"
_SERVICE_LINK = re.compile(r"(\w+?)_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_[A-Z]+(?:_PROTO|_PORT|_ADDR)?)?)")
_FERNET_BYTES = 32

VARIABLES = (
    Variable("INSIGHTS_ENV", "everything", "dev"),
    Variable(CONFIG, "everything", "the files of the project"),
    Variable(PROJECT_DIR, "everything", "the checkout, else the project in the wheel"),
    Variable("INSIGHTS_WAREHOUSE_URL", "loads, reviews, reports-api"),
    Variable(DUCKDB_PATH, "loads of a file of DuckDB", "warehouse.duckdb, for plain dbt"),
    Variable(SNAPSHOT_DIR, "loads of a file of DuckDB"),
    Variable(SERVING_URL, "insights publish, and all that answers from it", "none: a file is served by nothing"),
    Variable("SNOWFLAKE_ACCOUNT", "loads of Snowflake"),
    Variable("SNOWFLAKE_USER", "loads of Snowflake", "orgo_insights_etl, for plain dbt"),
    Variable("SNOWFLAKE_ROLE", "loads of Snowflake", "that of the user, for plain dbt"),
    Variable("SNOWFLAKE_WAREHOUSE", "loads of Snowflake", "that of the user, for plain dbt"),
    Variable("SNOWFLAKE_DATABASE", "loads of Snowflake", "orgo, for plain dbt"),
    Variable(SNOWFLAKE_KEY, "loads of Snowflake", "none: a password"),
    Variable(SNOWFLAKE_KEY_PASSPHRASE, "loads of Snowflake", "none: the key is not encrypted", is_secret=True),
    Variable(SNOWFLAKE_PASSWORD, "loads of Snowflake", "none: a key", is_secret=True),
    Variable("SNOWFLAKE_HOST", "loads of Snowflake", "that of the account"),
    Variable(SNOWFLAKE_PORT, "loads of Snowflake", "443"),
    Variable(SNOWFLAKE_PROTOCOL, "loads of Snowflake", "https"),
    Variable("INSIGHTS_REDIS_URL", "dashboards", "none: no cache"),
    Variable(CACHE_KEY, "dashboards", "the key that insights init has made", is_secret=True),
    Variable(TOKEN_SECRET, "insights api", is_secret=True),
    Variable(TOKEN_JWKS, "insights api"),
    Variable(PROXY_SECRET, "insights api --trust-proxy-headers", is_secret=True),
    Variable("INSIGHTS_DEFAULT_PROFILE_KEY", "builds and reviews", "patterns.default_profile_key"),
    Variable("INSIGHTS_PATTERN_CONFIG_PATH", "builds and reviews", "none: config.yaml alone"),
    Variable(EXPORT_URL, "exports", "INSIGHTS_WAREHOUSE_URL, with a warning"),
    Variable(EXPORT_DIR, "exports to files"),
    Variable(EXPORT_BUCKET, "exports to object storage"),
    Variable(EXPORT_KEY, "exports with masked columns, insights init", is_secret=True),
    Variable("INSIGHTS_CORE_API_URL", "insights reviews send", "none: a dry run"),
    Variable("INSIGHTS_CORE_API_TOKEN", "insights reviews send", is_secret=True),
    Variable(ALERT_WEBHOOK, "DAGs, insights alerts test", "none: no message", is_secret=True),
    Variable(ALERT_SMTP, "DAGs, insights alerts test", "none: no mail"),
    Variable(BACKUP_REPOSITORY, "insights backup", "none: no backup"),
    Variable(BACKUP_AIRFLOW_DIR, "insights backup run airflow"),
    Variable(BACKUP_KEY, "insights backup configure", "none: not encrypted", is_secret=True),
    Variable(BACKUP_S3_KEY, "insights backup configure, with object storage", is_secret=True),
    Variable(BACKUP_S3_SECRET, "insights backup configure, with object storage", is_secret=True),
    Variable("INSIGHTS_ADMIN_URL", "insights init, reader and backup configure", "libpq's variables"),
    Variable(READER_PASSWORD, "insights reader add", "asked for in a terminal", is_secret=True),
    Variable("INSIGHTS_OPERATIONAL_URL", "workshop load-incidents", "libpq's variables"),
    Variable("INSIGHTS_SCHEMA", "plain dbt", "insights"),
    Variable("INSIGHTS_THREADS", "plain dbt", "4"),
    Variable("INSIGHTS_CLAIM", "dbt, from insights build"),
    Variable(LEASE, "dbt, from insights build on Snowflake"),
    Variable(AS_OF, "insights build, reconcile, rebuild, purge, plain dbt", "today"),
    Variable("INSIGHTS_INCIDENT_LOG", "tests and benchmarks", "../shared/data/incident_event_log.zip"),
    Variable(AIRFLOW_DATABASE, "Airflow's scheduler and webserver"),
    Variable(AIRFLOW_DATABASE_BEFORE, "Airflow, as the name of the same variable before 2.3"),
    Variable(FERNET_KEY, "Airflow", is_secret=True),
)
_SCHEMES = {
    "INSIGHTS_WAREHOUSE_URL": ("postgresql", "postgres"),
    EXPORT_URL: ("postgresql", "postgres"),
    SERVING_URL: ("postgresql", "postgres"),
    "INSIGHTS_REDIS_URL": (
        *("redis", "rediss", "unix"),
        *("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"),
    ),
    "INSIGHTS_CORE_API_URL": ("https", "http"),
    ALERT_WEBHOOK: ("https", "http"),
    ALERT_SMTP: ("smtps", "smtp"),
}


def variable_value(variable: Variable, environ: Mapping[str, str]) -> str | None:
    """Return the masked value of a variable; None if it is not set."""
    value = environ.get(variable.name)
    if not value:
        return None
    return MASK if variable.is_secret or environ.get(f"{variable.name}_FILE") else shown("", value)


def variable_problems(environ: Mapping[str, str]) -> list[Problem]:
    """Return the problems of the variables that are set."""
    for variable in VARIABLES:
        environ.get(variable.name)  # one in a file is read, whoever needs it
    rules = (_environment, _places, _unknown, _schemes, _exports, _keys, _day, _airflow)
    return [problem for rule in rules for problem in rule(environ)]


def _environment(environ: Mapping[str, str]) -> Iterator[Problem]:
    value = environ.get("INSIGHTS_ENV")
    if value and value not in ENVIRONMENTS:
        says = f"must be one of {', '.join(ENVIRONMENTS)}.{nearest(value, ENVIRONMENTS)}".rstrip(".")
        yield _problem("INSIGHTS_ENV", value, says)


def _places(environ: Mapping[str, str]) -> Iterator[Problem]:
    config, project = environ.get(CONFIG), environ.get(PROJECT_DIR)
    if config and not Path(config).exists():
        says = f"does not exist (seen from {Path.cwd()}); name config.yaml or a folder with insights/config.yaml"
        yield _problem(CONFIG, config, says)
    if project and not (Path(project) / "dbt_project.yml").exists():
        says = f"has no dbt_project.yml (seen from {Path.cwd()}); name the folder of a checkout of Orgo Insights"
        yield _problem(PROJECT_DIR, project, says)


def _unknown(environ: Mapping[str, str]) -> Iterator[Problem]:
    names = [f"{v.name}{end}" for v in VARIABLES for end in ("", "_FILE")[: 1 + v.takes_file]]
    known = {name.removeprefix(PREFIX): name for name in names}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known.values() and not _is_service_link(name, environ):
            meant = closest(name.removeprefix(PREFIX), known)
            says = f"this variable is unknown.{f' Did you mean {known[meant]}?' if meant else ''}"
            yield Problem("warning", says, "environment", key=name)


def _is_service_link(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether Kubernetes set a variable for a Service, such as insights-redis, in the same namespace."""
    link = _SERVICE_LINK.fullmatch(name)
    return link is not None and f"{link[1]}_SERVICE_HOST" in environ


def _schemes(environ: Mapping[str, str]) -> Iterator[Problem]:
    for name, schemes in _SCHEMES.items():
        value = environ.get(name, "")
        found = re.match(r"(\w[\w+.-]*)://", value)
        is_conninfo = schemes[0] == "postgresql" and not found  # libpq also accepts key=value
        if value and not is_conninfo and not (found and found[1].lower() in schemes):
            says = f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"
            if environ.get(f"{name}_FILE"):  # what another file holds may be a password
                yield Problem("error", f"its file {says}", "environment", key=name, value=MASK)
            else:
                yield _problem(name, value, says)


def _exports(environ: Mapping[str, str]) -> Iterator[Problem]:
    directory, bucket = environ.get(EXPORT_DIR), environ.get(EXPORT_BUCKET)
    if directory and not Path(directory).is_absolute():
        yield _problem(EXPORT_DIR, directory, "must be an absolute path, such as /srv/insights/exports")
    if bucket and not _BUCKET.fullmatch(bucket):
        says = "must be a bucket name: 3 to 63 lowercase letters, digits, dots and hyphens"
        yield _problem(EXPORT_BUCKET, bucket, says)


def _keys(environ: Mapping[str, str]) -> Iterator[Problem]:
    for name in (EXPORT_KEY, CACHE_KEY, TOKEN_SECRET, PROXY_SECRET, BACKUP_KEY):
        key = environ.get(name, "").encode(errors="surrogateescape")
        if key and (weak := weakness(key)):
            yield Problem("error", weak, "environment", key=name, value=MASK)


def _day(environ: Mapping[str, str]) -> Iterator[Problem]:
    value = environ.get(AS_OF)
    if not value:
        return
    if not _is_day(value):
        yield _problem(AS_OF, value, "must be a date such as 2026-01-31")
        return
    if environ.get("INSIGHTS_ENV") in ("staging", "prod"):
        says = "every load counts as of this day and not of today; unset this variable unless that is intended"
        yield Problem("warning", says, "environment", key=AS_OF, value=shown("", value))


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _airflow(environ: Mapping[str, str]) -> Iterator[Problem]:
    for name in (AIRFLOW_DATABASE, AIRFLOW_DATABASE_BEFORE, FERNET_KEY):
        if path := environ.get(f"{name}_FILE"):
            says = f'Airflow does not read this variable; set {name}_CMD="cat {path}"'
            yield Problem("warning", says, "environment", key=f"{name}_FILE", value=shown("", path))
    now, before = environ.get(AIRFLOW_DATABASE), environ.get(AIRFLOW_DATABASE_BEFORE)
    if now and before and now != before:
        says = f"differs from {AIRFLOW_DATABASE}, which Airflow uses; unset this variable"
        yield Problem("warning", says, "environment", key=AIRFLOW_DATABASE_BEFORE, value=shown("", before))
    for key in filter(None, environ.get(FERNET_KEY, "").split(",")):
        try:
            secret = base64.b64decode(key.strip(), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) != _FERNET_BYTES:
            yield Problem("error", "must be 32 bytes in URL-safe base64", "environment", key=FERNET_KEY, value=MASK)
        elif weak := weakness(secret):
            # Airflow needs it until all that it has encrypted is encrypted again with another one.
            yield Problem("warning", weak, "environment", key=FERNET_KEY, value=MASK)


def _problem(name: str, value: str, says: str) -> Problem:
    return Problem("error", says, "environment", key=name, value=shown("", value))
