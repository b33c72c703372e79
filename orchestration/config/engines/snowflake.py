"""What a warehouse of type snowflake needs: an account and a key or a password, by Snowflake's own variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from orchestration.config.problems import Problem
from orchestration.config.rule import Rule, path
from orchestration.config.settings import Settings
from orchestration.config.variables import (
    SNOWFLAKE_KEY,
    SNOWFLAKE_KEY_PASSPHRASE,
    SNOWFLAKE_PASSWORD,
    SNOWFLAKE_PORT,
    SNOWFLAKE_PROTOCOL,
)
from orchestration.errors import MisconfiguredError

NEEDED = {
    "SNOWFLAKE_ACCOUNT": "account",
    "SNOWFLAKE_USER": "user",
    "SNOWFLAKE_ROLE": "role",
    "SNOWFLAKE_WAREHOUSE": "warehouse",
    "SNOWFLAKE_DATABASE": "database",
}
OTHERS = (
    *(SNOWFLAKE_KEY, SNOWFLAKE_KEY_PASSPHRASE, SNOWFLAKE_PASSWORD),
    *("SNOWFLAKE_HOST", SNOWFLAKE_PORT, SNOWFLAKE_PROTOCOL),
)
PROTOCOLS = ("https", "http")
HIGHEST_PORT = 65535
_ENGINE = path("insights.warehouse.type")


def snowflake_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the connection that are set, with the values of those that are in files.

    Raises MisconfiguredError, which names each variable, for one that is missing or wrong.
    """
    if wrong := [*_missing(environ), *_wrong(environ)]:
        raise MisconfiguredError(
            "The connection to Snowflake is incomplete: " + "; ".join(f"{p.key} {p.says}" for p in wrong) + "."
        )
    return {name: environ[name] for name in (*NEEDED, *OTHERS) if environ.get(name)}


def account_rules(environ: Mapping[str, str]) -> list[Rule]:
    """Return the rules about the variables of the connection, which are read with type snowflake only."""
    return [Rule(partial(_account_is_known, environ), (_ENGINE,))]


def _account_is_known(environ: Mapping[str, str], settings: Settings) -> Iterator[Problem]:
    if settings.insights.warehouse.type == "snowflake":
        yield from _missing(environ)
        yield from _wrong(environ)


def _missing(environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a note for each variable that loads need, as for an address that only some commands need."""
    for name in NEEDED:
        if not environ.get(name):
            says = "is not set; only commands that load or purge a warehouse of type snowflake need it"
            yield Problem("note", says, "environment", key=name)
    if not environ.get(SNOWFLAKE_KEY) and not environ.get(SNOWFLAKE_PASSWORD):
        says = f"is not set, nor is {SNOWFLAKE_PASSWORD}; commands that load or purge need one of the two"
        yield Problem("note", says, "environment", key=SNOWFLAKE_KEY)


def _wrong(environ: Mapping[str, str]) -> Iterator[Problem]:
    key, password = environ.get(SNOWFLAKE_KEY), environ.get(SNOWFLAKE_PASSWORD)
    if key and password:
        yield Problem("error", f"is set too, beside {SNOWFLAKE_KEY}; unset one", "environment", key=SNOWFLAKE_PASSWORD)
    if key and not Path(key).is_file():
        says = "must name the file of a private key (PKCS #8, PEM); there is no such file"
        yield Problem("error", says, "environment", key=SNOWFLAKE_KEY, value=key)
    if environ.get(SNOWFLAKE_KEY_PASSPHRASE) and not key:
        says = f"opens a private key, and {SNOWFLAKE_KEY} is not set"
        yield Problem("error", says, "environment", key=SNOWFLAKE_KEY_PASSPHRASE)
    port, protocol = environ.get(SNOWFLAKE_PORT), environ.get(SNOWFLAKE_PROTOCOL)
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port) <= HIGHEST_PORT):
        says = f"must be a number from 1 to {HIGHEST_PORT}"
        yield Problem("error", says, "environment", key=SNOWFLAKE_PORT, value=port)
    if protocol and protocol not in PROTOCOLS:
        says = f"must be one of {', '.join(PROTOCOLS)}"
        yield Problem("error", says, "environment", key=SNOWFLAKE_PROTOCOL, value=protocol)
