"""Runs a command line and turns errors into messages and exit codes."""

from __future__ import annotations

import sys

import click

from orchestration.cli.texts import say
from orchestration.errors import InsightsError

INTERRUPTED = 130  # what a shell reports after Ctrl-C


def run(commands: click.Group) -> None:
    """Run a command line and exit.

    An InsightsError becomes one message on standard error and exit code 1; an interrupt becomes exit code 130. An
    argument that is not UTF-8 text is a usage error.
    """
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
