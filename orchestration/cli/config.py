"""`insights config`: what the configuration says, and what is wrong with it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping

import click

from orchestration.cli.options import LateChoice
from orchestration.cli.texts import say

COLOURS = {"error": "red", "warning": "yellow", "note": None}


def _environments() -> Iterable[str]:
    from orchestration.config.tokens import ENVIRONMENTS

    return ENVIRONMENTS


def _schemas() -> Iterable[str]:
    from orchestration.config.schema import SCHEMAS

    return SCHEMAS


_environment = click.option(
    "--env", type=LateChoice(_environments), help="As if INSIGHTS_ENV were this; default: INSIGHTS_ENV, else dev."
)


@click.group()
def config() -> None:
    """The configuration: check it, show what counts, print its schema. Reads files only."""


@config.command()
@_environment
def check(env: str | None) -> None:
    """Print every error, warning and note of the configuration, for all environments; exit code 1 on any error."""
    from orchestration.config.files import check as check_files

    problems = check_files(environ=_environ(env)).problems
    for level, colour in COLOURS.items():
        for problem in (problem for problem in problems if problem.level == level):
            say(str(problem), colour=colour)
    counts = {level: sum(problem.level == level for problem in problems) for level in COLOURS}
    say(", ".join(f"{count} {level}{'s'[: count != 1]}" for level, count in counts.items()))
    sys.exit(1 if counts["error"] else 0)


@config.command()
@_environment
def show(env: str | None) -> None:
    """Print every resolved value, where it came from, and the environment variables; secrets are masked.

    Exit code 1, with the errors after the values, where nothing would start with them.
    """
    from orchestration.config.files import check as check_files
    from orchestration.config.problems import raise_errors
    from orchestration.config.show import resolved_lines
    from orchestration.config.tokens import ENVIRONMENTS

    environ = _environ(env)
    checked = check_files(environ=environ)
    if checked.settings is None or environ.get("INSIGHTS_ENV", "") not in ("", *ENVIRONMENTS):
        raise_errors(checked.problems)
        return
    for line in resolved_lines(checked.settings, environ):
        say(line)
    raise_errors(p for p in checked.problems if p.environment in (None, checked.settings.environment))


@config.command()
@click.argument("file", type=LateChoice(_schemas), default="config")
def schema(file: str) -> None:
    """Print the JSON Schema of a file, for editors: config (the default), dags, profiles or patterns."""
    from orchestration.config.schema import SCHEMAS, editor_schema

    click.echo(json.dumps(editor_schema(SCHEMAS[file]), indent=2, ensure_ascii=False))


def _environ(env: str | None) -> Mapping[str, str]:
    return os.environ | {"INSIGHTS_ENV": env} if env else os.environ
