"""Rules for the engine of the warehouse and for the values that only one engine reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import PurePath

from orchestration.config.engines.snowflake import account_rules
from orchestration.config.expansion import REFERENCE, expand
from orchestration.config.masking import as_written
from orchestration.config.problems import KeyPath, Problem
from orchestration.config.rule import Rule, path
from orchestration.config.rules import finding
from orchestration.config.settings import Settings

SUFFIXES = ("", "_staging", "_snapshots", "_personal", "_ops")  # those of warehouse/names.py
ENGINES = ("postgres", "duckdb", "snowflake")
_ENGINE, _FILE = path("insights.warehouse.type"), path("insights.warehouse.path")
_SERVING, _SNAPSHOT = path("insights.warehouse.serving_url"), path("insights.source.snapshot_directory")


def engine_rules(environ: Mapping[str, str]) -> list[Rule]:
    """Return the rules of the engines."""
    schema, source = path("insights.warehouse.schema_name"), path("insights.source.schema_name")
    return [
        Rule(_engine_is_supported, (_ENGINE,)),
        *(Rule(partial(_is_used, where), (where, _ENGINE)) for where in (_FILE, _SERVING)),
        Rule(partial(_file_has_a_name_of_its_own, environ), (_FILE, _ENGINE, schema, source)),
        *(Rule(partial(_is_absolute, environ, where), (where,)) for where in (_FILE, _SNAPSHOT)),
        *account_rules(environ),
    ]


def _engine_is_supported(settings: Settings) -> Iterator[Problem]:
    engine = settings.insights.warehouse.type
    if engine not in ENGINES:
        says = f"the specification allows this value, but this release supports {', '.join(ENGINES)} only"
        says += f"; dbt builds there without insights, see docs/engines/{engine}.md"
        yield finding(settings, "error", _ENGINE, engine, says)


def _is_used(where: KeyPath, settings: Settings) -> Iterator[Problem]:
    """Check that a key of a file of DuckDB is not set for another engine."""
    value, engine = getattr(settings.insights.warehouse, str(where[-1])), settings.insights.warehouse.type
    if value and engine != "duckdb" and not REFERENCE.search(value):
        says = f"has no effect with warehouse.type {engine}; remove it"
        yield finding(settings, "warning", where, as_written(str(where[-1]), value), says)


def _file_has_a_name_of_its_own(environ: Mapping[str, str], settings: Settings) -> Iterator[Problem]:
    """Check that `insights.fact_tasks` means a schema: DuckDB names the database after its file, up to the first dot.

    DuckDB's names differ by more than the case of letters.
    """
    marts, source = settings.insights.warehouse.schema_name, settings.insights.source.schema_name
    file, _ = expand(settings.insights.warehouse.path, environ)
    name = next((part for part in PurePath(file).name.lower().split(".") if part), "")
    is_used = settings.insights.warehouse.type not in ("postgres", "snowflake")
    if is_used and name in {source.lower(), *(f"{marts}{suffix}".lower() for suffix in SUFFIXES)}:
        says = f"DuckDB names the database after the file, and {name} is a schema; name the file warehouse.duckdb"
        yield finding(settings, "error", _FILE, file, says)


def _is_absolute(environ: Mapping[str, str], where: KeyPath, settings: Settings) -> Iterator[Problem]:
    value: str = getattr(getattr(settings.insights, str(where[1])), str(where[2]))
    text, missing = expand(value, environ)
    if text and not missing and not PurePath(text).is_absolute():
        yield finding(settings, "error", where, text, "must be an absolute path")
