"""`insights warm`: the cache of the dashboards is filled before anybody asks."""

from __future__ import annotations

import sys
from contextlib import closing

import click

from orchestration.config.files import load_settings
from orchestration.dashboards.definitions import find
from orchestration.dashboards.reader import Reader
from orchestration.dashboards.warm import WarmReport
from orchestration.dashboards.warm import warm as run_warm


@click.command()
@click.option("--dashboard", "names", multiple=True, help="Only this dashboard. Default: all.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop after so many seconds. Default: insights.cache.warm_seconds.",
)
def warm(names: tuple[str, ...], seconds: float | None) -> None:
    """Fill the cache of the dashboards, what is asked most first; exit code 1 when a reader would not find it."""
    settings = load_settings()
    with closing(Reader.open(settings)) as reader:
        for name in names:
            find(reader.dashboards, name)
        report = run_warm(reader, settings, names, seconds)
    print_report(report)
    if not report.is_whole:
        sys.exit(1)


def print_report(report: WarmReport) -> None:
    """Print a report as a table; what went wrong goes to standard error."""
    click.secho(f"Warmed in {report.seconds:.1f} s", bold=True)
    click.echo(f"  {'dashboard':<20}{'fresh':>8}{'computed':>10}{'kept':>8}{'failed':>8}{'no time':>9}{'found':>9}")
    for name, warmed in report.dashboards.items():
        share = "-" if warmed.share is None else f"{warmed.share:.0%}"
        click.echo(
            f"  {name:<20}{warmed.fresh:>8,}{warmed.computed:>10,}{warmed.kept:>8,}{warmed.failed:>8,}"
            f"{warmed.unreached:>9,}{share:>9}"
        )
    for name, warmed in report.dashboards.items():
        if warmed.trouble:
            click.secho(f"Warning: {name}: {warmed.trouble}", fg="yellow", err=True)
