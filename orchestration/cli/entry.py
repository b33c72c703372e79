"""Runs a command line and turns errors into messages and exit codes."""

from __future__ import annotations

import gc
import os
import sys

import click

from orchestration.cli.texts import say
from orchestration.errors import InsightsError

INTERRUPTED = 130  # what a shell reports after Ctrl-C
# Imports allocate many objects that stay; Python's default of 700 looks at all of them again and again.
COLLECT_AFTER = 50_000


def run(commands: click.Group) -> None:
    """Run a command line and exit.

    An InsightsError becomes one message on standard error and exit code 1; an interrupt becomes exit code 130. An
    argument that is not UTF-8 text is a usage error.
    """
    gc.set_threshold(COLLECT_AFTER)
    # Pydantic would look for plugins in the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        for argument in sys.argv[1:]:
            _check_text(argument)
        commands.main(standalone_mode=False)
    except InsightsError as error:
        for line in f"Error: {error}".split("\n"):
            say(line, color="red", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)


def _check_text(argument: str) -> None:
    # Python keeps bytes that are not UTF-8 as surrogates, which neither PostgreSQL nor a terminal takes.
    try:
        argument.encode()
    except UnicodeEncodeError as error:
        raise click.UsageError(f"The argument {argument!a} is not UTF-8 text.") from error
