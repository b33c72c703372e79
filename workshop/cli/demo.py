"""The command `workshop demo`: build and summarize a whole warehouse on private services."""

from __future__ import annotations

import os
from pathlib import Path

import click

from orchestration.cli.progress import step
from orchestration.cli.show import print_status
from orchestration.cli.texts import say


@click.command()
@click.option(
    "--from",
    "incident_log",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Import this incident log (zip or csv) instead of the sample.",
)
def demo(incident_log: Path | None) -> None:
    """Build and test a whole warehouse on private services.

    A repeated run takes seconds and changes nothing. A warehouse that was loaded or purged as of a later day than the
    demo's is built again from its operational tables.

    Example: workshop demo --from incident_event_log.zip
    """
    from orchestration.config.files import load_settings
    from workshop import demo as job
    from workshop.demo_steps import next_steps
    from workshop.demo_variables import ENVIRONMENT

    os.environ.setdefault("INSIGHTS_ENV", ENVIRONMENT)
    chosen = job.prepare_demo(load_settings(), incident_log)
    with step("starting PostgreSQL and Redis"):
        job.start_services(chosen)
    with step("filling the operational tables"):
        contents = job.fill_source(chosen)
    if day := job.later_day(chosen):
        with step(f"removing a warehouse as of {day}, after {chosen.as_of}"):
            job.remove_warehouse(chosen)
    with step("insights init"):
        job.prepare_database(chosen)
    with step("insights build") as progress:
        job.build(chosen, progress)
    click.echo()
    say(f"The operational database holds {contents}.")
    print_status(job.summary(chosen))
    say("Where to look next", bold=True)
    for command, what in next_steps(chosen):
        say(f"  {command}   # {what}")
