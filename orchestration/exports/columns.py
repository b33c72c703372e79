"""The columns of an export as they leave: which, masked how, and how a text is kept from being a formula."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from orchestration.exports.definitions import Definition
from orchestration.exports.masking import HOW, masked
from orchestration.exports.relations import Scope, only_leaving

# What no spreadsheet takes for a formula, whatever is in it, arrays of these included.
HARMLESS_TYPES = ("integer", "bigint", "numeric", "date", "timestamp", "boolean", "uuid")
# Blanks before the sign do not make it harmless everywhere; the last four are full-width = + - @.
_SIGNS = r"=+@\-\uff1d\uff0b\uff0d\uff20"
# A program that takes semicolons or tabs for separators, as Excel does in half of Europe, begins a cell after one, and
# after a line end in a quoted text: what looks like a formula there is one.
_BEGINNING = rf"^(?=[\t\r\n]|\s*[{_SIGNS}])|(?<=[;\t\r\n])(?=[ \f\v\"]*[{_SIGNS}])"
_SUSPECT = rf"[{_SIGNS}\t\r\n]"  # most texts have none of these, and this is found out in a third of the time
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SAFE = sql.SQL(
    "case when {value} ~ {suspect} and {value} !~ {number}"
    " then regexp_replace({value}, {beginning}, {apostrophe}, 'g') else {value} end"
)


@dataclass(frozen=True)
class OutColumn:
    """A column of the file: its name, its type, the SQL of its value, and how it was masked, if it was.

    `refers_to` is the export and the column of what it names, if that is another's row: only of those that may leave.
    `join` is what must be joined for its value, if anything.
    """

    name: str
    data_type: str
    value: sql.Composable
    mask: str | None = None
    refers_to: str | None = None
    join: sql.Composable | None = None


def row_columns(definition: Definition, scope: Scope, *, is_masked: bool) -> list[OutColumn]:
    """The columns of an export of rows: those that it lists, in its order.

    What names another's row is there only where that row may leave too, masked or not.
    """
    found = []
    for name, (part, column) in definition.columns.items():
        value: sql.Composable = sql.Identifier(part.name, name)
        join: sql.Composable | None = None
        reference = definition.references.get(name)
        if reference:
            value, join = only_leaving(name, value, reference, scope)
        data_type, mask = column.data_type, HOW[column.pii] if is_masked else None
        if mask:
            value, data_type = masked(value, data_type, column.pii)
        found.append(OutColumn(name, data_type, value, mask, reference.text if reference else None, join))
    return found


def safe_in_spreadsheets(column: OutColumn) -> sql.Composable:
    """Its value, with an apostrophe before all that could be taken for a formula; a number like -12.5 is none."""
    if column.data_type.startswith(HARMLESS_TYPES) or column.mask:
        return column.value
    value = sql.SQL("({})::text").format(column.value) if column.data_type.endswith("[]") else column.value
    return _SAFE.format(value=value, suspect=_SUSPECT, number=_NUMBER, beginning=_BEGINNING, apostrophe="'")
