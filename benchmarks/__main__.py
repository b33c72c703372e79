"""Runs benchmarks: `python -m benchmarks [NAME...] --size S`, or `./dev bench`, which sets up the environment."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import click

from benchmarks import api, build, cache, contention, dags, drill, engines, exports, patterns, publish, purge, startup
from benchmarks.measure import Comparison
from benchmarks.picture import picture
from benchmarks.report import as_json, details, summary, table
from benchmarks.services import Bench
from benchmarks.sizes import SIZES

BENCHMARKS = {
    module.NAME: module
    for module in (patterns, build, contention, purge, engines, publish, cache, api, exports, startup, dags, drill)
}
LISTED = "\n".join(f"  {name:<12}{(module.__doc__ or '').splitlines()[0]}" for name, module in BENCHMARKS.items())


# The \b keeps click from wrapping the list.
@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog=f"\b\nEach NAME measures:\n{LISTED}",
)
@click.argument("names", metavar="[NAME]...", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option(
    "--size",
    "sizes",
    multiple=True,
    default=["S"],
    show_default=True,
    type=click.Choice(list(SIZES)),
    help="Size of the history: "
    + ", ".join(f"{size.name} {size.tasks:,} tasks" for size in SIZES.values())
    + "; repeatable.",
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write everything that was measured here.")
@click.option("--picture", "picture_path", type=click.Path(path_type=Path), help="Write an SVG of cost by tasks here.")
def main(names: tuple[str, ...], sizes: tuple[str, ...], json_path: Path | None, picture_path: Path | None) -> None:
    """Measure work of Insights and its lower bounds in the same run.

    Without a NAME, all benchmarks run. Each run has private servers in a temporary folder, which is removed. Prints
    tables of medians and ratios; its progress goes to standard error. An error of the work or of its floor ends the run
    with exit code 1.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # run the cleanup on SIGTERM, too
    found: list[Comparison] = []
    try:
        for size in sizes:
            with Bench.started(SIZES[size]) as bench:
                for name in dict.fromkeys(names or BENCHMARKS):  # each once: some use up what they share
                    for compared in BENCHMARKS[name].run(bench):
                        found.append(compared)
                        click.echo(f"{size}: {summary(compared)}", err=True)
    finally:  # what was measured before an error took its time too
        _report(found, json_path, picture_path)


def _report(found: list[Comparison], json_path: Path | None, picture_path: Path | None) -> None:
    busy = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    click.echo("\n".join([*table(found), "", *details(found), "", f"{os.cpu_count()} cores, load average {busy}"]))
    if json_path:
        json_path.write_text(json.dumps(as_json(found), indent=1) + "\n", encoding="utf-8")
    if picture_path:
        picture_path.write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main(prog_name="./dev bench")
