"""Runs dbt on this project with the configuration's values, one writer at a time."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.config.files import PROJECT, Settings, dbt_variables
from orchestration.config.variables import AS_OF
from orchestration.dbt_engines import (
    PROFILES,
    check_rows,
    dated,
    engine_variables,
    lock_variables,
    profile_options,
    umask,
    writing,
)
from orchestration.dbt_options import IGNORED_VARIABLES, TYPE_OPTIONS, artifacts
from orchestration.dbt_process import THEN
from orchestration.supervision import run_dbt
from orchestration.warehouse.connection import child_environment
from orchestration.warehouse.source.guard import Confirmed

# Unit tests test the models, not the data: `./dev test` and a plain `dbt build` run them.
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
NO_TESTS = ("--exclude-resource-type", "test", "unit_test")
ONLY_TESTS = ("--resource-type", "test")
# The application name of dbt's sessions: in a load, and without the writer lock.
LOADING, READING = "orgo-insights-load", "orgo-insights-dbt"
NOTHING = Confirmed()
LAST_LINES = 40  # of dbt's output, which hold its message if it ran no model


@dataclass(frozen=True)
class DbtRun:
    """A finished dbt command: its exit code (0 is success), the folder of its artifacts, when it started (Unix time).

    `output` is the end of its output, if that was passed line by line.
    """

    exit_code: int
    target: Path
    started: float
    output: tuple[str, ...]

    def rows_written(self) -> dict[str, int]:
        """Return the rows written by each model that wrote any, as reported by the database."""
        results = self._results()
        written = {r["unique_id"].split(".")[-1]: r["adapter_response"].get("rows_affected", 0) for r in results}
        return {name: rows for name, rows in written.items() if rows > 0}

    def nodes(self) -> int:
        """Return the number of nodes that ran."""
        return sum(result["unique_id"].split(".")[0] != "operation" for result in self._results())

    def _results(self) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = json.loads((self.target / "run_results.json").read_text("utf-8"))["results"]
        return results


def run(
    settings: Settings,
    command: Sequence[str],
    *,
    url: str | None = None,
    variables: Mapping[str, Any] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> DbtRun:
    """Run one dbt command (`["build", "--select", ...]`) in a process of its own, which ends with this one.

    `url` is the warehouse; if it is None, libpq's variables apply. `variables` override those of the configuration.
    dbt's output goes to standard output, or line by line to `on_line`. A signal or an exception there interrupts dbt,
    which then cancels its statements.
    """
    return _run(settings, [command], variables or {}, process_environment(settings, url, variables=variables), on_line)


def write(  # noqa: PLR0913 - all but two are optional, and given by name
    settings: Settings,
    command: Sequence[str],
    *,
    url: str | None = None,
    variables: Mapping[str, Any] | None = None,
    on_line: Callable[[str], None] | None = None,
    confirmed: Confirmed | None = None,
    before: Callable[[int], None] | None = None,
) -> DbtRun:
    """Run a dbt command that writes, like `run`, with the writer lock and an up-to-date table of profiles.

    If `confirmed` is given, the command loads the source, whose rows are checked first. `before` is called with the
    number of the lock when nothing refuses the command any more. Raises like `writing` and, if rows are checked, like
    `check_source_rows`.
    """
    with writing(settings, url) as claim:
        given = dated(settings, variables)
        if confirmed is not None:
            check_rows(settings, url, given, confirmed, claim)
        environment = process_environment(settings, url, claim, given)
        if before is not None:
            before(claim)
        return _run(settings, [command], given, environment, on_line)


def build(  # noqa: PLR0913 - all but one are optional, and given by name
    settings: Settings,
    arguments: Sequence[str] = (),
    *,
    url: str | None = None,
    variables: Mapping[str, Any] | None = None,
    on_line: Callable[[str], None] | None = None,
    confirmed: Confirmed = NOTHING,
) -> DbtRun:
    """Build everything that dbt's arguments select, then run its data tests; returns the last command.

    A failed test therefore holds up no other model (decision D140). If a model fails, nothing is tested. Both commands
    run in one process (decision D199), whose output goes where that of `run` goes. Raises like `writing` and, before a
    relation is changed, like `check_source_rows`.
    """
    is_chosen = any(argument.split("=")[0] in TYPE_OPTIONS for argument in arguments)
    steps: list[tuple[str, ...]] = [NO_UNIT_TESTS] if is_chosen else [NO_TESTS, ONLY_TESTS]
    with writing(settings, url) as claim:
        given = dated(settings, variables)
        check_rows(settings, url, given, confirmed, claim)
        environment = process_environment(settings, url, claim, given)
        return _run(settings, [["build", *step, *arguments] for step in steps], given, environment, on_line)


def _run(
    settings: Settings,
    commands: Sequence[Sequence[str]],
    variables: Mapping[str, Any],
    environment: Mapping[str, str],
    on_line: Callable[[str], None] | None,
) -> DbtRun:
    started, last = time.time(), deque[str](maxlen=LAST_LINES)

    def keep(line: str) -> None:
        last.append(line)
        if on_line:
            on_line(line)

    # dbt writes colors into files and pipes too; a user's DBT_USE_COLORS stays.
    is_plain = on_line or os.environ.get("NO_COLOR") or not sys.stdout.isatty()
    given = {"DBT_USE_COLORS": "false", **environment} if is_plain else environment
    arguments = [argument for command in commands for argument in (THEN, *complete(settings, command, variables))]
    exit_code = run_dbt(arguments[1:], given, keep if on_line else None, umask(settings))
    return DbtRun(exit_code, artifacts_path(settings), started, tuple(last))


def complete(settings: Settings, command: Sequence[str], variables: Mapping[str, Any]) -> list[str]:
    """Return a dbt command with the options for the project, the target and the variables of the configuration.

    A command that runs nodes writes no artifact but its results, unless the command asks for them (decision D213).
    `as_of` is left out: `process_environment` has it, because dbt parses the project again when its variables change.
    """
    places = ["--profiles-dir", str(PROJECT), "--project-dir", str(PROJECT), *profile_options(settings)]
    of_this_run = {name: value for name, value in variables.items() if name != "as_of"}
    given = json.dumps(dbt_variables(settings) | of_this_run)
    return [*command, *artifacts(command), *places, "--target", settings.environment, "--vars", given]


def process_environment(
    settings: Settings, url: str | None, claim: int | None = None, variables: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Return the environment variables of dbt's process, without those that change what a command builds.

    `claim` is the number of the writer lock, if it is held; each transaction that writes proves it first. `variables`
    are those of the command, of which `as_of` is passed here.
    """
    environment = child_environment(
        url,
        profile_variables(settings)
        | lock_variables(settings, claim)
        | {
            AS_OF: (variables or {}).get("as_of", ""),
            "PGAPPNAME": LOADING if claim else READING,
            "DBT_TARGET_PATH": str(artifacts_path(settings)),
            "DBT_LOG_PATH": str(log_path()),
            "DBT_LOG_LEVEL_FILE": os.environ.get("DBT_LOG_LEVEL_FILE") or "info",
            "INSIGHTS_PATTERN_CONFIG_PATH": "",  # its thresholds are among the variables of the command
        },
    )
    return {name: value for name, value in environment.items() if name not in IGNORED_VARIABLES}


def profile_variables(settings: Settings) -> dict[str, str]:
    """Return the variables that dbt's profile (profiles.yml) reads from the configuration."""
    return {
        "INSIGHTS_ENV": settings.environment,
        "INSIGHTS_SCHEMA": settings.insights.warehouse.schema_name,
        "INSIGHTS_THREADS": str(settings.insights.etl.concurrency),
        **engine_variables(settings),
    }


def target_path() -> Path:
    """Return the folder of dbt's artifacts: DBT_TARGET_PATH, else `target` below `generated_path`."""
    return Path(os.environ.get("DBT_TARGET_PATH") or generated_path() / "target")


def artifacts_path(settings: Settings) -> Path:
    """Return the folder of dbt's artifacts for an engine, so that none reads what was parsed for another."""
    engine = settings.insights.warehouse.type
    return target_path() / engine if engine in PROFILES else target_path()


def log_path() -> Path:
    """Return the folder of dbt's log: DBT_LOG_PATH, else `logs` below `generated_path`."""
    return Path(os.environ.get("DBT_LOG_PATH") or generated_path() / "logs")


def generated_path() -> Path:
    """Return the folder for generated files: the project if it is a writable checkout, else one in the user's cache.

    The cache is XDG_CACHE_HOME, else ~/.cache; each project has its own folder there.
    """
    if (PROJECT / "pyproject.toml").exists() and os.access(PROJECT, os.W_OK):
        return PROJECT
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "orgo-insights" / hashlib.sha256(os.fsencode(PROJECT)).hexdigest()[:12]


def as_of_variable(as_of: date | None) -> dict[str, str]:
    """Return `as_of` as a dbt variable; {} for the default (today, UTC)."""
    return {"as_of": as_of.isoformat()} if as_of else {}
