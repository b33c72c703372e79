"""`insights demo`: the main job on private services, from nothing to a summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from orchestration import demo as job
from orchestration.cli.show import print_status
from orchestration.config.files import load_settings


@click.command()
@click.option(
    "--from",
    "incident_log",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An incident log (zip or csv) instead of the sample.",
)
def demo(incident_log: Path | None) -> None:
    """Build and test a whole warehouse on private services; again, it takes seconds and changes nothing."""
    chosen = job.prepare_demo(load_settings(), incident_log)
    with _step("starting PostgreSQL and Redis"):
        job.start_services(chosen)
    with _step("filling the operational tables"):
        contents = job.fill_source(chosen)
    with _step("insights init"):
        job.prepare_database(chosen)
    with _step("insights build") as progress:
        job.build(chosen, progress)
    click.echo(f"\nThe operational database holds {contents}.")
    print_status(job.summary(chosen))
    click.secho("Where to look next", bold=True)
    click.echo(f"  psql '{chosen.warehouse_url}'")
    click.echo(f"  export INSIGHTS_WAREHOUSE_URL='{chosen.warehouse_url}'   # for ./dev insights status, build, ...")
    click.echo("  ./dev docs     the lineage and every description, as one page for a browser")
    click.echo("  ./dev clean    stops the services and removes everything")


@contextmanager
def _step(label: str) -> Iterator[Callable[[int, int], None]]:
    """Print the label while the step works, how far it is, and its seconds when it is done."""
    terminal = click.get_text_stream("stdout").isatty()
    started, tenths = time.monotonic(), 0
    if terminal:
        click.echo(f"  {label}", nl=False)

    def report(done: int, total: int) -> None:
        nonlocal tenths
        if terminal:
            click.echo(f"\r  {label:<37}{done:>4} of {total}", nl=False)
        elif total > 1 and 10 * done // total > tenths:
            tenths = 10 * done // total
            click.echo(f"    {label}: {done} of {total}")

    yield report
    click.echo(("\r" if terminal else "") + f"  {label:<37}{time.monotonic() - started:>6.1f} s      ")
