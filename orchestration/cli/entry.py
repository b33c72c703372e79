"""Runs a command line and turns errors into messages and exit codes."""

from __future__ import annotations

import sys

import click

from orchestration.cli.texts import say
from orchestration.errors import InsightsError

INTERRUPTED = 130  # what a shell reports after Ctrl-C


def run(commands: click.Group) -> None:
    """Run a command line and exit.

    An InsightsError becomes one message on standard error and exit code 1; an interrupt becomes exit code 130.
    """
    try:
        commands.main(standalone_mode=False)
    except InsightsError as error:
        for line in f"Error: {error}".split("\n"):
            say(line, colour="red", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
