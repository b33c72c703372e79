"""Prints tables on a terminal: aligned columns, numbers to the right, `-` for NULL."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import click

from orchestration.cli.texts import LONGEST_TEXT, columns, cut, moment, say, say_json

INDENT, GAP = "  ", "  "
NARROWEST = 8  # minimum width of a truncated cell, in characters
UNLIMITED = sys.maxsize
FORMULA_SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def show_table(
    rows: Iterable[Sequence[object]],
    *,
    header: Sequence[str] = (),
    title: str = "",
    is_fitted: bool = True,
    longest: int = LONGEST_TEXT,
) -> None:
    """Print rows below an optional title and header; cells are truncated to the width of the terminal if `is_fitted`.

    A cell has at most `longest` columns, on a terminal or not.
    """
    if title:
        say(title, bold=True)
    width = shutil.get_terminal_size().columns if is_fitted and sys.stdout.isatty() else UNLIMITED
    for line in table_lines(rows, header=header, width=width, longest=longest):
        say(line)


def show_records(
    records: Sequence[Mapping[str, object]], form: str, limit: int = UNLIMITED, *, title: str = ""
) -> None:
    """Print records with equal keys as a table, JSON or CSV; a table has at most `limit` rows and says what it omits.

    The columns of a table are named by the keys, with spaces for underscores.
    """
    if form != "table":
        write_records(records, form)
    elif records:
        header = [key.replace("_", " ") for key in records[0]]
        rows = (tuple(_in_a_cell(value) for value in record.values()) for record in records[:limit])
        show_table(rows, header=header, title=title)
        say_left_out(len(records), limit)
    else:
        say(f"{INDENT}(none)")


def write_records(records: Sequence[Mapping[str, object]], form: str) -> None:
    """Print records with equal keys for a script: as one JSON array, or as CSV with a line of names.

    Times are in UTC. In CSV, a list or mapping in a record is one text, its words or keys separated by commas.
    """
    if form == "json":
        write_json([dict(record) for record in records])
    elif records:
        written = io.StringIO()
        writer = csv.DictWriter(written, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {key: _in_spreadsheet(_in_a_cell(value)) for key, value in record.items()} for record in records
        )
        click.echo(written.getvalue(), nl=False)


def write_json(document: object) -> None:
    """Print a document as indented JSON; dates and times, which are in UTC, are texts in ISO 8601."""
    say_json(json.dumps(document, indent=2, ensure_ascii=False, default=_in_json))


def say_left_out(total: int, shown: int) -> None:
    """Print how many entries of a list `--limit` leaves out, and the limit that shows them; nothing if none is."""
    if total > shown:
        say(f"{INDENT}and {total - shown:,} more; --limit {total} shows all")


def table_lines(
    rows: Iterable[Sequence[object]],
    *,
    header: Sequence[str] = (),
    width: int = UNLIMITED,
    longest: int = LONGEST_TEXT,
) -> list[str]:
    """Return the lines of a table, each at most `width` characters unless that needs cells shorter than NARROWEST."""
    values = [tuple(row) for row in rows]
    cells = [[_text(value, longest) for value in row] for row in ([tuple(header)] if header else []) + values]
    are_numbers = [any(_is_number(value) for value in column) for column in zip(*values, strict=True)]
    are_numbers = are_numbers or [False] * len(header)
    widths = [max(map(columns, column)) for column in zip(*cells, strict=True)]
    _narrow(widths, are_numbers, width - len(INDENT) - len(GAP) * (len(widths) - 1))
    return [INDENT + GAP.join(map(_fit, line, widths, are_numbers)).rstrip() for line in cells]


def _text(value: object, longest: int) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if _is_number(value) else cut(value, longest)


def _in_spreadsheet(value: object) -> object:
    """Return a text that no spreadsheet reads as a formula; names are written by tenants."""
    return f"'{value}" if isinstance(value, str) and value.lstrip()[:1] in FORMULA_SIGNS else value


def _in_a_cell(value: object) -> object:
    """Return a value as one cell: words or keys separated by commas, yes or no, a time with its zone."""
    if isinstance(value, Mapping | list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return moment(value) if isinstance(value, datetime) else value


def _in_json(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _narrow(widths: list[int], are_numbers: list[bool], room: int) -> None:
    """Shrink the widest text columns until the row fits into `room` characters or all have the minimum width."""
    texts = [column for column, is_number in enumerate(are_numbers) if not is_number]
    while texts and sum(widths) > room:
        widest = max(texts, key=widths.__getitem__)
        if widths[widest] <= NARROWEST:
            return
        widths[widest] -= 1


def _fit(cell: str, width: int, is_number: bool) -> str:
    shown = cut(cell, width) if columns(cell) > width else cell
    room = " " * (width - columns(shown))
    return room + shown if is_number else shown + room
