"""Shows how far a command is: a bar on a terminal, and a line every few seconds elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TextIO

import click

from orchestration.cli.texts import cut, say
from orchestration.progress import Progress

SECONDS = 5.0  # between two lines where there is no terminal
LONGEST = 44  # columns of what a bar says it does
WHOLE_LINE = "\r\033[K"  # return to the beginning of the line and erase it


@contextmanager
def live_line(stream: TextIO) -> Iterator[Callable[[str], None]]:
    """Yield a function that replaces the text of the last line; does nothing unless `stream` is a terminal.

    The line is erased at the end of the block.
    """
    is_terminal = stream.isatty()

    def show(text: str) -> None:
        if is_terminal:
            click.echo(f"{WHOLE_LINE}{text}", file=stream, nl=False)

    try:
        yield show
    finally:
        show("")


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Yield a function that shows how far a command is, on standard error (decision D209).

    A terminal has a bar, which is removed at the end. Elsewhere there is a line every SECONDS, so that a short run
    prints nothing.
    """
    with _bar(label) if sys.stderr.isatty() else nullcontext(_lines(label)) as report:
        yield report


@contextmanager
def _bar(label: str) -> Iterator[Progress]:
    from rich import progress as drawn
    from rich.console import Console

    screen = Console(file=sys.stderr, force_terminal=True, no_color=bool(os.environ.get("NO_COLOR")), markup=False)
    parts = (
        drawn.TextColumn("{task.description}", markup=False),
        drawn.BarColumn(bar_width=20),
        drawn.MofNCompleteColumn(),
        drawn.TimeElapsedColumn(),
    )
    with drawn.Progress(*parts, console=screen, transient=True) as bar:
        task = bar.add_task(label, total=None)

        def report(done: int, total: int, doing: str = "") -> None:
            says = cut(" ".join(filter(None, (label, doing))), LONGEST)
            bar.update(task, description=says, completed=done, total=total or None)

        yield report


def _lines(label: str) -> Progress:
    last = time.monotonic()

    def report(done: int, total: int, doing: str = "") -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS:
            last = time.monotonic()
            count = f"{done:,} of {total:,}" if total else f"{done:,}"
            say(f"{label}: {count}{doing and f', {doing}'}", err=True)

    return report


@contextmanager
def step(label: str) -> Iterator[Callable[[int, int], None]]:
    """Print the label while a step runs, and its duration in seconds at the end.

    Yields a function of (done, total). Without a terminal, it prints one line for each tenth of the total.
    """
    started, tenths = time.monotonic(), 0
    with live_line(sys.stdout) as show:
        show(f"  {label}")

        def report(done: int, total: int) -> None:
            nonlocal tenths
            show(f"  {label:<37}{done:>4} of {total}")
            if not sys.stdout.isatty() and total > 1 and 10 * done // total > tenths:
                tenths = 10 * done // total
                click.echo(f"    {label}: {done} of {total}")

        yield report
    click.echo(f"  {label:<37}{time.monotonic() - started:>6.1f} s")
