"""Connects to the URL of INSIGHTS_WAREHOUSE_URL (specification, section 5); dbt gets it as libpq's variables."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from orchestration.config.variables import VARIABLES as OF_INSIGHTS
from orchestration.errors import InsightsError, MisconfiguredError, RefusedError, UnavailableError

# libpq's keywords and the environment variables that dbt's profile, psql and other clients read.
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
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslcompression": "PGSSLCOMPRESSION",
    "sslsni": "PGSSLSNI",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "channel_binding": "PGCHANNELBINDING",
    "require_auth": "PGREQUIREAUTH",
    "requirepeer": "PGREQUIREPEER",
    "gssencmode": "PGGSSENCMODE",
    "gsslib": "PGGSSLIB",
    "krbsrvname": "PGKRBSRVNAME",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "client_encoding": "PGCLIENTENCODING",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
    "options": "PGOPTIONS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
# Keywords without a variable that a client of its own does not need: dbt's profile sets its own values.
OWN_OF_EACH_CLIENT = {
    "application_name",
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
}
# Parameters of every connection of this package.
CONNECTION: dict[str, Any] = {"application_name": "orgo-insights"}
# Without them a dead network goes unnoticed for hours, and a network that drops idle connections ends the session that
# holds a claim (D148). The address and libpq's variables override them.
NETWORK: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}

# Names that are not qualified mean objects of PostgreSQL, never those that somebody has put into `public` (D150). The
# roles have the same path; a login that is only a member of one of them, and an administrator, do not get it.
SEARCH_PATH = "pg_catalog, pg_temp"
# psycopg reads timestamps in this style only; the roles have it, other logins may have that of an application.
DATE_STYLE = "ISO, MDY"
_PIN = f"-c search_path={SEARCH_PATH.replace(' ', '')}"

# Errors that waiting cannot fix. A refused connection has no SQLSTATE, only a message in the server's language; in
# other languages than English, it counts as a server that does not respond.
_WRONG = re.compile(
    r"authentication failed|no password supplied|pg_hba\.conf"
    r'|(?:database|role|user) ".*" (?:does not exist|is not permitted to log in)|no such (?:database|user)'
    r"|certificate|does not support SSL|invalid (?:port|integer|\S+ value)"
    rf"|\[Errno {re.escape(str(int(socket.EAI_NONAME)))}\]",  # an unknown host name
)


def libpq_environment(url: str, name: str = "INSIGHTS_WAREHOUSE_URL") -> dict[str, str]:
    """Return libpq's variables for a connection URL, percent-decoded; `name` is that of its variable, for messages.

    Raises MisconfiguredError for an invalid PostgreSQL URL, or for a parameter without such a variable.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise MisconfiguredError(
            f"{name} cannot be read ({_without_secrets(error)});"
            " it must be like postgresql://user:password@host:5432/database?sslmode=require"
            " (special characters percent-encoded)."
        ) from error
    unknown = sorted(set(parts) - set(VARIABLES) - OWN_OF_EACH_CLIENT)
    if unknown:
        raise MisconfiguredError(f"{name} has parameters that cannot be passed on: {', '.join(unknown)}.")
    return {VARIABLES[key]: str(value) for key, value in parts.items() if key in VARIABLES}


def connect(url: str | None = None, *, autocommit: bool = False) -> psycopg.Connection:
    """Connect to `url`, or by libpq's variables if it is None.

    Raises MisconfiguredError for a wrong address, user, password or database, RefusedError for a user without the
    privilege to connect, and UnavailableError if the server does not respond.
    """
    try:
        return psycopg.connect(url or "", autocommit=autocommit, **parameters(url))
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise connection_error(error) from error


def open_session(url: str | None = None, *, autocommit: bool = False) -> psycopg.Connection:
    """Connect as `connect` does, with a search path in which others can create nothing (decision D150), and ISO dates.

    Statements set them, because not every pooler accepts settings at the start of a session. Raises like `connect`.
    """
    connection = connect(url, autocommit=True)
    try:
        pin_session(connection)
        connection.autocommit = autocommit
    except psycopg.Error as error:
        connection.close()
        raise connection_error(error) from error
    return connection


def pin_session(connection: psycopg.Connection[Any]) -> None:
    """Set the search path and the style of dates of a session in autocommit mode; raises psycopg.Error."""
    connection.execute(f"set search_path to {SEARCH_PATH}; set datestyle to '{DATE_STYLE}'")


def parameters(url: str | None) -> dict[str, Any]:
    """Return the parameters for psycopg of a connection to `url`, without those that the URL or the variables set.

    Raises psycopg.ProgrammingError for an invalid URL.
    """
    given = conninfo_to_dict(url or "")
    kept = {k: v for k, v in NETWORK.items() if k not in given and VARIABLES.get(k, "") not in os.environ}
    return kept | CONNECTION


def connection_error(error: psycopg.Error) -> InsightsError:
    """Return the error of this package for a failed connection; its message contains no password."""
    says = f"Cannot connect to PostgreSQL: {_without_secrets(error)}"
    if "permission denied" in says:
        return RefusedError(says)
    needs_password = error.pgconn is not None and error.pgconn.needs_password
    if isinstance(error, psycopg.ProgrammingError) or needs_password or _WRONG.search(says):
        return MisconfiguredError(f"{says}\nCheck host, port, database, user, password and parameters of the address.")
    return UnavailableError(says)


def child_environment(url: str | None, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a dbt process: that of this process, `url` (if any) in libpq's variables, and `extra`.

    The secrets of Insights, such as the key of exports, are removed, because dbt needs none. Raises like
    `connection_variables`.
    """
    secrets = {variable.name for variable in OF_INSIGHTS if variable.is_secret}
    inherited = {k: v for k, v in os.environ.items() if k.removesuffix("_FILE") not in secrets}
    if url:
        inherited = {k: v for k, v in inherited.items() if k not in VARIABLES.values()}
        inherited |= connection_variables(url)
    # psycopg2 reads dates of this style only, and sets it only at the start of a session, which dbt's nodes share.
    return _pinned(inherited) | {"DO_NOT_TRACK": "1", "PGDATESTYLE": DATE_STYLE} | dict(extra)


def connection_variables(url: str) -> dict[str, str]:
    """Return the variables of libpq with which dbt connects as this package does with `url`.

    libpq decides what a URL leaves open or gives several of, such as host, password and TLS, from variables, service
    and password files and the answers of the servers. dbt needs one value of each, so this connects once and takes
    libpq's choice (decision D147). Raises like `libpq_environment` and `connect`.
    """
    return _pinned(libpq_environment(url) | _choice_of_libpq(url))


def _choice_of_libpq(url: str) -> dict[str, str]:
    """Return the variables of a connection to `url`, with the server, database and user to which it leads now."""
    with connect(url) as connection:
        info = connection.info
        chosen = {VARIABLES[key]: value for key, value in info.get_parameters().items() if key in VARIABLES}
        chosen |= {"PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": info.user, "PGDATABASE": info.dbname}
        if "PGHOSTADDR" in chosen:
            chosen["PGHOSTADDR"] = info.hostaddr
        if info.password:
            chosen["PGPASSWORD"] = info.password
        return chosen


def _pinned(variables: dict[str, str]) -> dict[str, str]:
    """Return the variables with a search path among the options, if there are any; else dbt's profile has one."""
    options = variables.get("PGOPTIONS")
    return variables | {"PGOPTIONS": f"{options} {_PIN}"} if options and _PIN not in options else variables


def _without_secrets(error: Exception) -> str:
    """Return libpq's message without the part of a URL that it quotes, because that may be the password."""
    return re.sub(r'(found in|token:|after) ".*"', r'\1 "***"', str(error).strip())
