"""The columns of an export as they leave: which, masked how, and how a text is kept from being a formula."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from orchestration.exports.definitions import Definition
from orchestration.exports.masking import HOW, masked

# What no spreadsheet takes for a formula, whatever is in it; an array begins with a brace.
HARMLESS_TYPES = ("integer", "bigint", "numeric", "date", "timestamp", "boolean", "uuid")
# Blanks before the sign do not make it harmless everywhere; the last four are full-width = + - @.
_FORMULA = r"^([\t\r\n]|\s*[=+@\-\uff1d\uff0b\uff0d\uff20])"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SAFE = sql.SQL(
    "case when {value} ~ {formula} and {value} !~ {number} then chr(39) || {value} else {value} end"  # 39: apostrophe
)


@dataclass(frozen=True)
class OutColumn:
    """A column of the file: its name, its type, the SQL of its value, and how it was masked, if it was."""

    name: str
    data_type: str
    value: sql.Composable
    mask: str | None = None


def row_columns(definition: Definition, *, is_masked: bool) -> list[OutColumn]:
    """The columns of an export of rows: all of the first relation, then what the others add to them."""
    found: dict[str, OutColumn] = {}
    for part in definition.parts:
        for column in part.columns.values():
            if column.name not in found:
                value: sql.Composable = sql.Identifier(part.name, column.name)
                data_type, mask = column.data_type, HOW[column.pii] if is_masked else None
                if mask:
                    value, data_type = masked(value, data_type, column.pii)
                found[column.name] = OutColumn(column.name, data_type, value, mask)
    return list(found.values())


def safe_in_spreadsheets(column: OutColumn) -> sql.Composable:
    """Its value, with an apostrophe before what a spreadsheet would take for a formula; a number like -12.5 is none."""
    if column.data_type.startswith(HARMLESS_TYPES) or column.data_type.endswith("[]") or column.mask:
        return column.value
    return _SAFE.format(value=column.value, formula=_FORMULA, number=_NUMBER)
