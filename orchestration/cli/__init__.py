"""The command `insights`. Each command reads options, calls one function, prints what came of it."""

from __future__ import annotations

import sys

import click

from orchestration.cli import build, prepare, show
from orchestration.cli.airflow import airflow
from orchestration.cli.config import config
from orchestration.cli.dashboard import dashboard, dashboards
from orchestration.cli.demo import demo
from orchestration.cli.export import export, exports
from orchestration.cli.load_incidents import load_incidents
from orchestration.cli.manifest import manifest
from orchestration.cli.patterns import patterns
from orchestration.cli.purge import purge
from orchestration.cli.reviews import reviews
from orchestration.cli.warm import warm
from orchestration.errors import InsightsError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="orgo-insights")
def commands() -> None:
    """Orgo Insights: Orgo's operational tables become a tested star schema."""


for command in (
    prepare.init,
    prepare.env,
    build.build,
    build.reconcile,
    build.rebuild,
    manifest,
    purge,
    show.status,
    show.docs,
    load_incidents,
    patterns,
    reviews,
    export,
    exports,
    dashboards,
    dashboard,
    warm,
    config,
    demo,
    airflow,
):
    commands.add_command(command)


def main() -> None:
    """Entry point: an error that the user can mend becomes one message and exit code 1."""
    try:
        commands.main(standalone_mode=False)
    except InsightsError as error:
        click.secho(f"Error: {error}", fg="red", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
