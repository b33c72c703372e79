"""Prints tables on a terminal: aligned columns, numbers to the right, `-` for NULL."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import click

from orchestration.cli.screen import Bar, Cell, draw
from orchestration.cli.texts import LONGEST_TEXT, columns, cut, moment, printable, say, say_json, say_wrapped
from orchestration.formulas import safe_text

INDENT, GAP = "  ", "  "
UNLIMITED = sys.maxsize
MEASURE = re.compile(r"[-+]?\d[\d,.]*(%| (?:pp|d|h|min|s)(?: \d+ (?:h|min|s))?)")


def show_table(
    rows: Iterable[Sequence[object]],
    header: Sequence[str],
    *,
    title: str = "",
) -> None:
    """Print rows below a header and an optional title.

    A terminal gets a table that fits (D208), a pipe or file plain lines. A text has at most LONGEST_TEXT columns.
    """
    if title:
        say_wrapped(title, bold=True)
    values = [tuple(row) for row in rows]
    if sys.stdout.isatty() and values:
        draw([printable(name) for name in header], [list(map(_on_screen, row)) for row in values], _are_numbers(values))
        return
    for line in table_lines(values, header=header):
        say(line)


def show_pairs(pairs: Iterable[tuple[str, str]], *, longest: int) -> None:
    """Print (name, text) as one record; a text has at most `longest` columns, and on a terminal takes several lines."""
    values = list(pairs)
    if sys.stdout.isatty():
        draw([name for name, _ in values], [[cut(text, longest) for _, text in values]], [False] * len(values))
        return
    for line in table_lines(values, longest=longest):
        say(line)


def show_records(
    records: Sequence[Mapping[str, object]],
    form: str,
    limit: int = UNLIMITED,
    *,
    title: str = "",
    left_to_scripts: Collection[str] = (),
) -> None:
    """Print records with equal keys as a table, JSON or CSV; a table has at most `limit` rows and says what it omits.

    The columns of a table are named by the keys, with spaces for underscores; on a terminal, it has none of
    `left_to_scripts`, such as ids whose names it has, and times to the minute.
    """
    if form != "table":
        write_records(records, form)
    elif records:
        is_screen = sys.stdout.isatty()
        keys = [key for key in records[0] if not (is_screen and key in left_to_scripts)]
        in_utc = {key for key in keys if is_screen and any(isinstance(record[key], datetime) for record in records)}
        header = [key.replace("_", " ") + " (UTC)" * (key in in_utc) for key in keys]
        rows = ([record[key] for key in keys] for record in records[:limit])
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
        writer = csv.writer(written, lineterminator="\n")
        quoting = csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(records[0])
        for record in records:
            cells = [_in_spreadsheet(_in_a_cell(value)) for value in record.values()]
            # Python quotes a line end only if it ends the lines of the file; other programs take a bare CR for one.
            (quoting if any("\r" in str(cell) for cell in cells) else writer).writerow(cells)
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
    longest: int = LONGEST_TEXT,
) -> list[str]:
    """Return the lines of a table in plain text."""
    values = [tuple(row) for row in rows]
    cells = [[_text(value, longest) for value in row] for row in ([tuple(header)] if header else []) + values]
    are_numbers = _are_numbers(values) or [False] * len(header)
    widths = [max(map(columns, column)) for column in zip(*cells, strict=True)]
    return [INDENT + GAP.join(map(_fit, line, widths, are_numbers)).rstrip() for line in cells]


def _are_numbers(values: Sequence[Sequence[object]]) -> list[bool]:
    """Return for each column whether it has a number or a measure with its unit, and is aligned to the right."""
    return [any(map(_is_number, column)) or _are_measures(column) for column in zip(*values, strict=True)]


def _are_measures(column: Sequence[object]) -> bool:
    given = [value for value in column if value is not None]
    return bool(given) and all(isinstance(value, str) and MEASURE.fullmatch(value) for value in given)


def _text(value: object, longest: int) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if _is_number(value) else cut(_in_a_cell(value), longest)


def _on_screen(cell: object) -> Cell:
    """Return a cell for a terminal: a time in UTC to the minute, because its header says the zone."""
    if isinstance(cell, Bar):
        return cell
    return f"{cell.astimezone(UTC):%Y-%m-%d %H:%M}" if isinstance(cell, datetime) else _text(cell, LONGEST_TEXT)


def _in_spreadsheet(value: object) -> object:
    """Return a text that no spreadsheet reads as a formula; names are written by tenants."""
    return safe_text(value) if isinstance(value, str) else value


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


def _fit(cell: str, width: int, is_number: bool) -> str:
    room = " " * (width - columns(cell))
    return room + cell if is_number else cell + room
