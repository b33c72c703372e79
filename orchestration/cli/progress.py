"""Shows the progress of a command on one line that is overwritten, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import click

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
def progress(label: str = "") -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (done, total) that shows both on standard error."""
    with live_line(sys.stderr) as show:
        yield lambda done, total: show(f"{label} {done / max(total, 1):4.0%}  {done}/{total}")


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
