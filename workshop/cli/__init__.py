"""The command `workshop`: demo, private Airflow, the service on the demo and incident import. `./dev` calls it."""

from __future__ import annotations

import click

from orchestration.cli.entry import run
from workshop.cli.airflow import airflow
from workshop.cli.api import api
from workshop.cli.demo import demo
from workshop.cli.load_incidents import load_incidents


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="orgo-insights-workshop")
def commands() -> None:
    """Try out and develop Orgo Insights on private servers.

    Example: workshop demo
    """


for command in (demo, airflow, api, load_incidents):
    commands.add_command(command)


def main() -> None:
    """Entry point of the command `workshop`."""
    run(commands)
