"""Writes an export in a format with types: dates are dates and numbers are numbers (decision D210).

A format is a context manager over an Output: entered, it returns a function that adds one row, and it completes the
file when the block ends without an error. Its library is imported here, because nothing else needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from orchestration.errors import MisconfiguredError
from orchestration.exports.columns import OutColumn
from orchestration.exports.output import Output

Row = Sequence[Any]
Format = Callable[[Sequence[OutColumn], Output], AbstractContextManager[Callable[[Row], None]]]

TYPED = ("parquet", "xlsx")
# Rows of a worksheet below its header. The file format has no more.
MOST_ROWS = {"xlsx": 1_048_575}


def typed_format(name: str) -> Format:
    """Return a format of TYPED by its name; raises MisconfiguredError if its library is not installed."""
    try:
        if name == "xlsx":
            from orchestration.exports.spreadsheet import spreadsheet  # noqa: PLC0415

            return spreadsheet
        from orchestration.exports.parquet import parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MisconfiguredError(
            f"Exports as .{name} need {error.name}, which is not installed: pip install -r requirements/formats.txt"
            " (the dependency group formats)."
        ) from error
    return parquet
