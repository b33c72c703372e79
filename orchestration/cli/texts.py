"""What commands print: every text goes through `say`, since others may have written parts of it."""

from __future__ import annotations

import click


def printable(text: str) -> str:
    """Return the text on one line, with escapes for what moves the cursor or changes colour or writing direction.

    A label, or the name in a refused export, could otherwise forge lines of a report.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(text: str, *, bold: bool = False, colour: str | None = None, err: bool = False) -> None:
    """Print one line, made printable."""
    line = printable(text)
    click.echo(click.style(line, bold=bold, fg=colour) if bold or colour else line, err=err)


def warn(text: str) -> None:
    """Print one line to standard error, as a warning."""
    say(f"Warning: {text}", colour="yellow", err=True)
