"""The databases of the demos, and the environment variables of commands that work on them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from orchestration.config.variables import EXPORT_KEY
from workshop.sample.scenario import SAMPLE_AS_OF
from workshop.services import LocalPostgres, LocalRedis

SAMPLE_DATABASE = "demo"
INCIDENTS_DATABASE = "demo_incidents"
INCIDENTS_AS_OF = date(2017, 2, 19)  # the day after the last event of the published log

# The day of each demo: the data ends before it. A load as of a later day would put rows out of retention for good.
DAYS = {SAMPLE_DATABASE: SAMPLE_AS_OF, INCIDENTS_DATABASE: INCIDENTS_AS_OF}
_CACHES = {SAMPLE_DATABASE: 2, INCIDENTS_DATABASE: 3}  # numbers of databases in Redis; the private Airflow uses 1
_KEPT = ("INSIGHTS_AS_OF", "INSIGHTS_ENV", "INSIGHTS_EXPORT_DIR")  # a value of the caller takes precedence
ENVIRONMENT = "staging"  # dev keeps monthly aggregates for 90 days only, so its trends end after two months


def demo_variables(
    state: Path, database: str, etl_role: str, export_role: str, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variables for commands on a demo: its environment, addresses, day, cache, export folder and key."""
    variables = {
        "INSIGHTS_ENV": ENVIRONMENT,
        "INSIGHTS_WAREHOUSE_URL": LocalPostgres(state).url(database, etl_role),
        "INSIGHTS_EXPORT_WAREHOUSE_URL": LocalPostgres(state).url(database, export_role),
        "INSIGHTS_REDIS_URL": cache_url(state, database),
        "INSIGHTS_AS_OF": DAYS[database].isoformat(),
        "INSIGHTS_EXPORT_DIR": str(state / "exports"),
        EXPORT_KEY: export_key(state),
    }
    return {name: (name in _KEPT and environ.get(name)) or value for name, value in variables.items()}


def export_key(state: Path) -> str:
    """Return the key of the masks, which the databases of the demos know (decision D174)."""
    return kept_secret(state, "export-key")


def cache_url(state: Path, database: str) -> str:
    """Return the URL of a demo's database in the private Redis."""
    return LocalRedis(state).url(_CACHES[database])


def demo_of(state: Path, url: str, etl_role: str) -> str | None:
    """Return the database of the demo that a warehouse URL leads to; None for any other URL."""
    postgres = LocalPostgres(state)
    return next((database for database in DAYS if url == postgres.url(database, etl_role)), None)


def kept_secret(state: Path, name: str) -> str:
    """Return a secret of the demos; the first call makes it, in a file of this name with mode 0600."""
    path = state / name
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text()
