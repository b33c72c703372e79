"""Draws tables on a terminal with rich: as wide as the terminal, and one record below the other where none fits."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestration.cli.texts import columns, cut, printable

if TYPE_CHECKING:
    from rich.align import VerticalAlignMethod as Vertical
    from rich.console import Console, RenderableType
    from rich.console import JustifyMethod as Justify
    from rich.table import Table
    from rich.text import Text

INDENT, GAP = 2, 2
NARROWEST = 12  # columns of a text that is cut, with the number of characters that are left out
BAR, SHORTEST_BAR = 16, 6  # columns of a bar for 1, and on a narrow terminal
# What nobody can use when it is cut: ids, dates, times, numbers with their unit, names of relations and options.
EXACT = re.compile(r"[\w.:+%/-]+|[\d,.]+( \w+)+|\d{4}-\d\d-\d\d[ T][\d:+.]+")
LONGEST_EXACT = 40
NAME = "cyan"
TRAILING = re.compile(r"(?: |\x1b\[[0-9;]*m)+$", re.M)  # spaces and styles that end
STATES = {"late": "yellow", "failed": "red", "refused": "red", "aborted": "red", "error": "red", "warning": "yellow"}


@dataclass(frozen=True)
class Bar:
    """A cell that shows a share between 0 and 1 as the length of a bar."""

    share: float


Cell = str | Bar


def console(width: int) -> Console:
    """Return a console on standard output that takes texts as they are; without colors if NO_COLOR is set."""
    from rich.console import Console

    return Console(
        file=sys.stdout,
        width=width,
        force_terminal=True,
        color_system=None if os.environ.get("NO_COLOR") else "standard",
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def draw(header: Sequence[str], rows: Sequence[Sequence[Cell]], are_numbers: Sequence[bool]) -> None:
    """Draw rows of printable texts as a table, or as records if there is one row or the table is too wide.

    A table that is too wide leaves out its bars first.
    """
    width = shutil.get_terminal_size().columns
    if len(rows) == 1 or fitted(header, rows, are_numbers, width) is None:
        kept = [place for place in range(len(header)) if not any(isinstance(row[place], Bar) for row in rows)]
        header, are_numbers = [header[place] for place in kept], [are_numbers[place] for place in kept]
        rows = [[row[place] for place in kept] for row in rows]
    widths = None if len(rows) == 1 else fitted(header, rows, are_numbers, width)
    screen = console(width)
    with screen.capture() as captured:
        for part in _table(header, rows, are_numbers, widths) if widths else _records(header, rows, width):
            screen.print(part)
    click.echo(TRAILING.sub(lambda end: end.group().replace(" ", ""), captured.get()), nl=False, color=True)


def fitted(
    header: Sequence[str], rows: Sequence[Sequence[Cell]], are_numbers: Sequence[bool], width: int
) -> list[int] | None:
    """Return the width of each column of a table of at most `width` columns; None if it cannot be that narrow.

    First headers take several lines, then bars become shorter, then texts are cut, each the widest first. Numbers, ids
    and times stay whole, and no text becomes narrower than NARROWEST.
    """
    contents = list(zip(*rows, strict=True))
    whole = [max(map(_size, content)) for content in contents]
    words = [max(map(columns, name.split()), default=0) for name in header]
    widths = [max(size, columns(name)) for size, name in zip(whole, header, strict=True)]
    wrapped = [max(sizes) for sizes in zip(whole, words, strict=True)]
    with_bars = [
        SHORTEST_BAR if isinstance(content[0], Bar) else size for size, content in zip(wrapped, contents, strict=True)
    ]
    least = [
        size if is_number or _is_exact(content) else max(min(size, NARROWEST), word)
        for size, is_number, content, word in zip(with_bars, are_numbers, contents, words, strict=True)
    ]
    room = width - INDENT - GAP * (len(widths) - 1)
    for floor in (wrapped, with_bars, least):
        while sum(widths) > room and (wider := [place for place, size in enumerate(widths) if size > floor[place]]):
            widths[max(wider, key=widths.__getitem__)] -= 1
    return widths if sum(widths) <= room else None


def _size(cell: Cell) -> int:
    return BAR if isinstance(cell, Bar) else columns(cell)


def _is_exact(column: Sequence[Cell]) -> bool:
    return all(
        isinstance(cell, Bar) or (columns(cell) <= LONGEST_EXACT and EXACT.fullmatch(cell) is not None)
        for cell in column
    )


def shortened(text: str, width: int) -> str:
    """Return a printable text in at most `width` columns; …+9 at its end says how many characters are left out."""
    if columns(text) <= width:
        return text
    for digits in range(1, 10):
        kept = cut(text, width - digits - 1)[:-1]
        left_out = f"{len(text) - len(kept)}"
        if len(left_out) <= digits:
            return f"{kept}…+{left_out}"
    return cut(text, width)


def _table(
    header: Sequence[str], rows: Sequence[Sequence[Cell]], are_numbers: Sequence[bool], widths: Sequence[int]
) -> Iterator[RenderableType]:
    from rich.text import Text

    lines = [[_drawn(cell, size) for cell, size in zip(row, widths, strict=True)] for row in rows]
    names = [Text(name, style=NAME) for name in header]
    yield _grid([names, *lines], widths, ["right" if is_it else "left" for is_it in are_numbers])


def _records(header: Sequence[str], rows: Sequence[Sequence[Cell]], width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    names = min(max(map(columns, header)), width // 2)
    widths = (names, max(1, width - INDENT - GAP - names))
    for place, row in enumerate(rows):
        if place:
            yield ""
        lines = [
            [Text(shortened(name, names), style=NAME), _drawn(cell, None)]
            for name, cell in zip(header, row, strict=True)
        ]
        yield _grid(lines, widths, ["left", "left"], "top")


def _grid(
    lines: Sequence[Sequence[Text]], widths: Sequence[int], justified: Sequence[Justify], vertical: Vertical = "bottom"
) -> Table:
    """Return a table without lines, whose columns have these widths and GAP between them."""
    from rich.table import Table

    grid = Table.grid()
    for place, (size, justify) in enumerate(zip(widths, justified, strict=True)):
        grid.add_column(width=GAP if place else INDENT)
        grid.add_column(justify=justify, width=size, overflow="fold", vertical=vertical)
    for line in lines:
        grid.add_row(*(part for text in line for part in ("", text)))
    return grid


def _drawn(cell: Cell, width: int | None) -> Text:
    from rich.text import Text

    if isinstance(cell, Bar):
        return Text("█" * round((width or BAR) * min(1.0, max(0.0, cell.share))), style="blue")
    return Text(shortened(cell, width) if width else printable(cell), style=STATES.get(cell, ""))
