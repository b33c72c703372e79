"""Prints text safely: every command prints through `say`, because the text may hold data from the source."""

from __future__ import annotations

import click


def printable(text: str) -> str:
    """Return the text on one line, with control characters escaped.

    Without it, a label or the name in a refused export could forge lines of a report.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(text: str, *, bold: bool = False, color: str | None = None, err: bool = False) -> None:
    """Print one line with control characters escaped."""
    line = printable(text)
    click.echo(click.style(line, bold=bold, fg=color) if bold or color else line, err=err)


def warn(text: str) -> None:
    """Print a one-line warning to standard error."""
    say(f"Warning: {text}", color="yellow", err=True)
