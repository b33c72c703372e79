"""The command `workshop demo`: build and summarize a whole warehouse on private services."""

from __future__ import annotations

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

    A repeated run takes seconds and changes nothing.

    Example: workshop demo --from incident_event_log.zip
    """
    from orchestration.config.files import load_settings
    from workshop import demo as job

    chosen = job.prepare_demo(load_settings(), incident_log)
    with step("starting PostgreSQL and Redis"):
        job.start_services(chosen)
    with step("filling the operational tables"):
        contents = job.fill_source(chosen)
    with step("insights init"):
        job.prepare_database(chosen)
    with step("insights build") as progress:
        job.build(chosen, progress)
    click.echo()
    say(f"The operational database holds {contents}.")
    print_status(job.summary(chosen))
    say("Where to look next", bold=True)
    say(f"  psql '{chosen.warehouse_url}'")
    say(f"  export INSIGHTS_WAREHOUSE_URL='{chosen.warehouse_url}'   # for ./dev insights status, build, ...")
    say("  ./dev docs     the lineage and every description, as one page for a browser")
    say("  ./dev clean    stops the services and removes everything")
