"""One URL, INSIGHTS_WAREHOUSE_URL (specification, section 5), for Python and as libpq's variables for dbt."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import psycopg
from psycopg.conninfo import conninfo_to_dict

from orchestration.config.variables import EXPORT_KEY
from orchestration.errors import InsightsError

# libpq's keywords and the variables that dbt's profile, psql and every other client read.
VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "options": "PGOPTIONS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}


def libpq_environment(url: str) -> dict[str, str]:
    """Return libpq's variables for a connection URL, percent-decoded.

    Raises InsightsError for something that is no PostgreSQL URL, or that holds a parameter without such a variable.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise InsightsError(
            f"INSIGHTS_WAREHOUSE_URL cannot be read ({_without_secrets(error)});"
            " it must be like postgresql://user:password@host:5432/database?sslmode=require"
            " (special characters percent-encoded)."
        ) from error
    unknown = sorted(set(parts) - set(VARIABLES) - {"application_name"})
    if unknown:
        raise InsightsError(f"INSIGHTS_WAREHOUSE_URL has parameters that cannot be passed on: {', '.join(unknown)}.")
    return {VARIABLES[key]: str(value) for key, value in parts.items() if key in VARIABLES}


def connect(url: str | None = None, *, autocommit: bool = False) -> psycopg.Connection:
    """Connect to `url`, or where libpq's variables point when it is None; raises InsightsError when refused."""
    try:
        return psycopg.connect(url or "", application_name="orgo-insights", autocommit=autocommit)
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise InsightsError(f"Cannot connect to PostgreSQL: {_without_secrets(error)}") from error


def child_environment(url: str | None, extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a dbt process: ours, the connection of `url` (if any) in libpq's variables, and `extra`.

    The key of exports is not handed on: dbt masks nothing.
    """
    inherited = {k: v for k, v in os.environ.items() if k != EXPORT_KEY}
    if url:
        inherited = {k: v for k, v in inherited.items() if k not in VARIABLES.values()}
        inherited |= libpq_environment(url)
    return inherited | {"DO_NOT_TRACK": "1"} | dict(extra)


def _without_secrets(error: Exception) -> str:
    """What libpq says, without the piece of a URL that it could not read: it may be the password."""
    return re.sub(r'(found in|token:|after) ".*"', r'\1 "***"', str(error).strip())
