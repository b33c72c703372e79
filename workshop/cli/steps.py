"""Print one line for each step of a long command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def step(label: str) -> Iterator[Callable[[int, int], None]]:
    """Print the label and progress of a step while it runs, and its duration when it ends.

    Yields a function to call with the number of finished parts and the total number of parts.
    """
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
