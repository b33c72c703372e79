"""`insights warm`: the cache of the dashboards is filled before anybody asks."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

import click

from orchestration.cli.tables import show_table
from orchestration.cli.texts import warn

if TYPE_CHECKING:
    from orchestration.dashboards.warm import WarmReport


@click.command()
@click.option("--dashboard", "names", multiple=True, help="Only this dashboard. Default: all.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop after so many seconds. Default: insights.cache.warm_seconds.",
)
def warm(names: tuple[str, ...], seconds: float | None) -> None:
    """Fill the cache of the dashboards, what is asked most first; exit code 1 when a reader would not find it."""
    from orchestration.config.files import load_settings
    from orchestration.dashboards.definitions import find
    from orchestration.dashboards.reader import Reader
    from orchestration.dashboards.warm import warm as run_warm

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
    rows = []
    for name, warmed in report.dashboards.items():
        share = None if warmed.share is None else f"{warmed.share:.0%}"
        rows.append((name, warmed.fresh, warmed.computed, warmed.kept, warmed.failed, warmed.unreached, share))
    header = ("dashboard", "fresh", "computed", "kept", "failed", "no time", "found")
    show_table(rows, header=header, title=f"Warmed in {report.seconds:.1f} s")
    for name, warmed in report.dashboards.items():
        if warmed.trouble:
            warn(f"{name}: {warmed.trouble}")
