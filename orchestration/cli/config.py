"""`insights config`: check and print the configuration."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict

import click

from orchestration.cli import options
from orchestration.cli.options import LateChoice
from orchestration.cli.sections import Group
from orchestration.cli.tables import write_records
from orchestration.cli.texts import say

COLORS = {"error": "red", "warning": "yellow", "note": None}


def _environments() -> Iterable[str]:
    from orchestration.config.tokens import ENVIRONMENTS

    return ENVIRONMENTS


def _schemas() -> Iterable[str]:
    from orchestration.config.schema import SCHEMAS

    return SCHEMAS


_environment = click.option(
    "--env", type=LateChoice(_environments), help="The environment to use. Default: INSIGHTS_ENV, else dev."
)


@click.group(cls=Group)
def config() -> None:
    """Check the configuration, print its values or its schema.

    Reads files and environment variables only.
    """


@config.command(epilog="Example: insights config check --env prod")
@_environment
@options.form
def check(env: str | None, form: str) -> None:
    """Print errors, warnings and notes of the configuration.

    All environments are checked. The exit code is 1 if there is an error.
    """
    from orchestration.config.files import check as check_files

    problems = check_files(environ=_environ(env)).problems
    by_level = sorted(problems, key=lambda problem: list(COLORS).index(problem.level))
    counts = {level: sum(problem.level == level for problem in problems) for level in COLORS}
    if form == "table":
        for problem in by_level:
            say(str(problem), color=COLORS[problem.level])
        say(", ".join(f"{count} {level}{'s'[: count != 1]}" for level, count in counts.items()))
    else:
        write_records([asdict(problem) for problem in by_level], form)
    sys.exit(1 if counts["error"] else 0)


@config.command(epilog="Example: insights config show --env prod")
@_environment
@options.form
def show(env: str | None, form: str) -> None:
    """Print every value with its origin; secrets are masked.

    Environment variables are included. Errors follow the values, and the exit code is then 1.
    """
    from orchestration.config.files import check as check_files
    from orchestration.config.problems import raise_errors
    from orchestration.config.show import resolved_values
    from orchestration.config.tokens import ENVIRONMENTS

    environ = _environ(env)
    checked = check_files(environ=environ)
    if checked.settings is None or environ.get("INSIGHTS_ENV", "") not in ("", *ENVIRONMENTS):
        raise_errors(checked.problems)
        return
    values = resolved_values(checked.settings, environ)
    if form == "table":
        for value in values:
            say(str(value))
    else:
        write_records([asdict(value) for value in values], form)
    raise_errors(p for p in checked.problems if p.environment in (None, checked.settings.environment))


@config.command(epilog="Example: insights config schema dags > dags.schema.json")
@click.argument("file", type=LateChoice(_schemas), default="config")
def schema(file: str) -> None:
    """Print the JSON Schema of a configuration file for editors.

    FILE is config (the default), dags, profiles or patterns.
    """
    from orchestration.config.schema import SCHEMAS, editor_schema

    click.echo(json.dumps(editor_schema(SCHEMAS[file]), indent=2, ensure_ascii=False))


def _environ(env: str | None) -> Mapping[str, str]:
    return os.environ | {"INSIGHTS_ENV": env} if env else os.environ
