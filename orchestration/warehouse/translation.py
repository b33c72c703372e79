"""Translates PostgreSQL's errors to errors of this package, for all modules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files

import psycopg
from psycopg import errors

from orchestration.errors import (
    BusyError,
    ConflictError,
    FailedError,
    InsightsError,
    NotBuiltError,
    NotPreparedError,
    RefusedError,
    TimedOutError,
    UnavailableError,
)

# The scripts of `insights init`.
SCRIPTS = ("objects.sql", "row_security.sql", "exports.sql", "alterations.sql")

# A caller's message for a kind of error; {detail} is replaced with PostgreSQL's message.
Messages = Mapping[type[InsightsError], str]

_RULES: tuple[tuple[tuple[type[psycopg.Error], ...], type[InsightsError], str], ...] = (
    (
        (errors.UndefinedFunction, errors.InvalidSchemaName),
        NotPreparedError,
        "This database is not prepared. Run first: insights init ({detail})",
    ),
    (
        (errors.UndefinedTable, errors.UndefinedColumn),
        NotBuiltError,
        "Nothing has been built here yet ({detail}). Run: insights init, then insights build",
    ),
    (
        (errors.InsufficientPrivilege,),
        RefusedError,
        "This user lacks the privilege ({detail}). Connect as the role that loads (insights.warehouse.write_user);"
        " after an upgrade, run insights init once more.",
    ),
    (
        (errors.ReadOnlySqlTransaction,),
        RefusedError,
        "The database is read-only on this connection ({detail}). INSIGHTS_WAREHOUSE_URL must lead to the primary"
        " server.",
    ),
    (
        (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure),
        BusyError,
        "Another session holds what this needs ({detail}). Try again when it has finished.",
    ),
    ((errors.DependentObjectsStillExist,), ConflictError, "Other objects depend on this ({detail})."),
    ((errors.QueryCanceled,), TimedOutError, "The database ended a statement that took too long ({detail})."),
    (
        (psycopg.OperationalError,),
        UnavailableError,
        "The database does not answer ({detail}). Try again; if that fails too, look at the server's log.",
    ),
    ((psycopg.Error,), FailedError, "The database refused a statement ({kind}: {detail})."),
)


def translated(error: psycopg.Error, messages: Messages | None = None) -> InsightsError:
    """Return the error of this package for a psycopg error, with the message for its kind in `messages`, if any."""
    detail = first_line(error)
    # PostgreSQL reports two sessions that change one catalog row as an internal error.
    found = errors.LockNotAvailable if "tuple concurrently" in detail else type(error)
    kind, sentence = next((kind, sentence) for classes, kind, sentence in _RULES if issubclass(found, classes))
    if kind is NotBuiltError and _is_made_by_init(detail):
        kind, sentence = _RULES[0][1:]
    own = messages or {}
    sentence = next((own[general] for general in kind.__mro__ if general in own), sentence)
    return kind(sentence.replace("{kind}", type(error).__name__).replace("{detail}", detail))


@contextmanager
def translating(messages: Messages | None = None) -> Iterator[None]:
    """Raise psycopg errors of the block as errors of this package."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error, messages) from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error; the rest is context and the statement."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _is_made_by_init(detail: str) -> bool:
    """Return whether the missing relation is one of the scripts, which `insights init` creates."""
    return any(f"_ops.{table}" in detail for table in tables_of_init())


@cache
def tables_of_init() -> tuple[str, ...]:
    """Return the names of the tables and views that the scripts create in the schema of bookkeeping."""
    scripts = [files("orchestration.warehouse").joinpath("scripts", name) for name in SCRIPTS]
    text = "".join(script.read_text(encoding="utf-8") for script in scripts)
    return tuple(re.findall(r"^ *create (?:table if not exists|(?:or replace )?view) \{ops\}\.(\w+)", text, re.M))
