"""Reads the CSV files of a deployment, so that each mistake is named with its file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.config.problems import Problem


@dataclass(frozen=True)
class Line:
    """One line of a file, with its cells by column."""

    file: str
    number: int
    cells: Mapping[str, str]

    def problem(self, column: str, says: str) -> Problem:
        """Return an error of one cell; `column` counts from 1."""
        place = list(self.cells).index(column) + 1
        return Problem("error", says, self.file, self.number, place, column, f'"{self.cells[column]}"')


def read_lines(project: Path, file: Path, wanted: tuple[str, ...], problems: list[Problem]) -> list[Line]:
    """Return the lines of a file below `project` after its header, which must name the `wanted` columns.

    What is no CSV, another header, and lines with another number of cells are added to `problems` and left out. A file
    that is absent has no lines.
    """
    path, shown = project / file, str(file)
    if not path.exists():
        return []
    found = []
    try:
        with path.open(encoding="utf-8", newline="") as opened:
            reader = csv.reader(opened, strict=True)
            header = tuple(next(reader, ()))
            if header != wanted:
                problems.append(Problem("error", f"the first line must be {','.join(wanted)}", shown, 1))
                return []
            for cells in reader:
                if len(cells) == len(wanted):
                    found.append(Line(shown, reader.line_num, dict(zip(wanted, cells, strict=True))))
                elif cells:
                    says = f"has {len(cells)} cells; a line has {len(wanted)}: {','.join(wanted)}"
                    problems.append(Problem("error", says, shown, reader.line_num))
    except UnicodeDecodeError as error:
        problems.append(Problem("error", f"is not UTF-8 at byte {error.start}", shown))
    except csv.Error as error:
        problems.append(Problem("error", f"is not CSV: {error}", shown, reader.line_num))
    return found


def named(line: Line, column: str) -> Iterator[Problem]:
    """Yield what is wrong with a cell that must not be empty."""
    value = line.cells[column]
    if not value.strip():
        yield line.problem(column, "must not be empty")
    elif value != value.strip():
        yield line.problem(column, "must not begin or end with a blank")


def repeated(lines: list[Line], columns: tuple[str, ...]) -> Iterator[Problem]:
    """Yield the lines with the same cells as an earlier line."""
    first: dict[tuple[str, ...], int] = {}
    for line in lines:
        key = tuple(line.cells[column] for column in columns)
        if key in first:
            yield line.problem(columns[-1], f"is in line {first[key]} already")
        first.setdefault(key, line.number)
