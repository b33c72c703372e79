"""Prints text safely: every command prints through `say`, because the text may hold data from the source."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import unicodedata
from datetime import UTC, datetime
from itertools import accumulate, takewhile

import click

LONGEST_TEXT = 300  # columns of a value in a list or a table, on a terminal or not
WIDE = ("W", "F")  # East Asian widths of characters that take two columns


def printable(text: str) -> str:
    """Return the text on one line, with control characters escaped.

    Without it, a label or the name in a refused export could forge lines of a report.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def columns(text: str) -> int:
    """Return the number of columns that a printable text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: object, longest: int = LONGEST_TEXT) -> str:
    """Return the printable text, shortened to `longest` columns and characters; … marks what is left out."""
    whole = printable(str(text))
    if len(whole) <= longest and columns(whole) <= longest:
        return whole
    room = accumulate(max(1, _columns(character)) for character in whole)
    return whole[: sum(1 for _ in takewhile(lambda used: used < longest, room))] + "…"


def say(text: str, *, bold: bool = False, color: str | None = None, err: bool = False) -> None:
    """Print one line with control characters escaped; bold and color only on a terminal, and not with NO_COLOR."""
    line = printable(text)
    is_styled = (bold or color) and not os.environ.get("NO_COLOR")
    # click removes the styles where the stream is not a terminal.
    click.echo(click.style(line, bold=bold, fg=color) if is_styled else line, err=err)


def say_wrapped(text: str, *, bold: bool = False) -> None:
    """Print a sentence in lines as wide as the terminal; in one line if standard output is no terminal."""
    width = shutil.get_terminal_size().columns
    is_whole = not sys.stdout.isatty() or columns(text) <= width
    for line in [text] if is_whole else textwrap.wrap(printable(text), width, break_on_hyphens=False):
        say(line, bold=bold)


def moment(when: datetime) -> str:
    """Return a time in UTC with its zone, whatever the zone of the session that read it."""
    return when.astimezone(UTC).isoformat(" ", "seconds")


def say_json(document: str) -> None:
    """Print a JSON document in UTF-8: the same values, with control characters and invisible marks as JSON escapes."""
    escaped = (c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in document)
    click.echo("".join(escaped).encode())


def warn(text: str) -> None:
    """Print a one-line warning to standard error."""
    say(f"Warning: {text}", color="yellow", err=True)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in WIDE else 1
