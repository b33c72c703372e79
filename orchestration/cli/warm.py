"""`insights warm`: fill the dashboard cache in advance."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.progress import progress
from orchestration.cli.tables import show_records
from orchestration.cli.texts import warn

if TYPE_CHECKING:
    from orchestration.dashboards.warm import WarmReport


@click.command(epilog="Example: insights warm --dashboard overview --seconds 60")
@click.option("--dashboard", "names", multiple=True, help="Only this dashboard; repeatable. Default: all.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Time limit in seconds. Default: insights.cache.warm_seconds.",
)
@options.form
def warm(names: tuple[str, ...], seconds: float | None, form: str) -> None:
    """Fill the dashboard cache, the most requested answers first.

    Every answer is read back. The exit code is 1 if a client would not find one of them.
    """
    from orchestration.config.files import load_server_settings
    from orchestration.dashboards.definitions import find
    from orchestration.dashboards.reader import Reader
    from orchestration.dashboards.warm import warm as run_warm

    settings = load_server_settings()
    with closing(Reader.open(settings)) as reader:
        for name in names:
            find(reader.dashboards, name)
        with progress("warming the cache") as show:
            report = run_warm(reader, settings, names, seconds, show)
    print_report(report, form)
    if not report.is_whole:
        sys.exit(1)


def print_report(report: WarmReport, form: str) -> None:
    """Print the dashboards of a report; problems go to standard error. A table has the share of `found` in percent."""
    from orchestration.dashboards.units import readable

    records = [
        {
            "dashboard": name,
            "fresh": warmed.fresh,
            "computed": warmed.computed,
            "kept": warmed.kept,
            "failed": warmed.failed,
            "no_time": warmed.unreached,
            "found": readable("share", warmed.share) if form == "table" else warmed.share,
        }
        for name, warmed in report.dashboards.items()
    ]
    show_records(records, form, title=f"Warmed in {report.seconds:.1f} s")
    for name, warmed in report.dashboards.items():
        if warmed.trouble:
            warn(f"{name}: {warmed.trouble}")
