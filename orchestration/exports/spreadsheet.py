"""Exports as .xlsx: one worksheet with a frozen header, written row by row with bounded memory.

XlsxWriter keeps the rows in a temporary file until the end, because the worksheet is compressed as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from xlsxwriter import Workbook

from orchestration.errors import FailedError
from orchestration.exports.columns import OutColumn
from orchestration.exports.output import Output

BLOCK = 1 << 18
LARGEST_EXACT = 2**53  # a number of a spreadsheet is a double, which counts up to here without gaps
LONGEST_TEXT = 32_767  # characters of a cell
FIRST_YEAR = 1900  # the calendar of spreadsheets begins there
# Texts are never formulas, links or numbers, whatever they look like.
OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "remove_timezone": True,
}


@contextmanager
def spreadsheet(columns: Sequence[OutColumn], output: Output) -> Iterator[Callable[[Sequence[Any]], None]]:
    """Yield a function that adds a row; times are in UTC. Raises FailedError for a text that no cell can hold.

    The temporary files are in a folder that only this user can read, and are removed at the end.
    """
    with TemporaryDirectory(prefix="orgo-insights-export-") as folder:
        path = Path(folder) / "export.xlsx"
        workbook = Workbook(str(path), OPTIONS | {"tmpdir": folder})
        sheet = workbook.add_worksheet("export")
        of_dates = workbook.add_format({"num_format": "yyyy-mm-dd"})
        of_times = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(columns):
            sheet.write_string(0, place, column.name)
        number = 0

        def add(row: Sequence[Any]) -> None:
            nonlocal number
            number += 1
            for place, (value, column) in enumerate(zip(row, columns, strict=True)):
                match _cell(value):
                    case None:
                        pass
                    case bool() as flag:
                        sheet.write_boolean(number, place, flag)
                    case datetime() as time:
                        sheet.write_datetime(number, place, time, of_times)
                    case date() as day:
                        sheet.write_datetime(number, place, day, of_dates)
                    case str() as text:
                        _check(text, column)
                        sheet.write_string(number, place, text)
                    case other:
                        sheet.write_number(number, place, other)

        try:
            yield add
        except BaseException:
            # Nothing is assembled when the workbook is collected; its temporary files go with the folder.
            workbook.fileclosed = True
            raise
        workbook.close()
        with path.open("rb") as made:
            while block := made.read(BLOCK):
                output.write(block)


def _cell(value: Any) -> Any:
    """Return a value as a cell has it: a number that a double does not hold exactly, and any other type, as text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_EXACT else str(value)
    if isinstance(value, Decimal | float):
        return float(value)
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, date):
        return value if value.year >= FIRST_YEAR else value.isoformat()
    return str(value)


def _check(text: str, column: OutColumn) -> None:
    if len(text) > LONGEST_TEXT:
        raise FailedError(
            f"A text of {column.name} has {len(text):,} characters, and a cell of .xlsx holds {LONGEST_TEXT:,}. Nothing"
            " was cut: export as csv, jsonl or parquet."
        )
