"""The exported columns: which ones, how they are masked, and how text is kept from being read as a formula."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from orchestration.exports.definitions import Definition
from orchestration.exports.masking import HOW, masked, masked_type
from orchestration.exports.relations import Scope, only_leaving
from orchestration.formulas import BEGINNING, NUMBER, SUSPECT
from orchestration.warehouse.names import Names

# Types whose values, also in arrays, no spreadsheet reads as a formula.
HARMLESS_TYPES = ("integer", "bigint", "numeric", "date", "timestamp", "boolean", "uuid")
_SAFE = sql.SQL(
    "case when {value} ~ {suspect} and {value} !~ {number}"
    " then regexp_replace({value}, {beginning}, {apostrophe}, 'g') else {value} end"
)


@dataclass(frozen=True)
class OutColumn:
    """A column of the file: its name, its type, the SQL of its value, and how it is masked, if it is.

    `refers_to` is `export.column` of the rows that it refers to, if any; these are only rows that may be exported.
    `join` is the SQL of the join that its value needs, if any.
    """

    name: str
    data_type: str
    value: sql.Composable
    mask: str | None = None
    refers_to: str | None = None
    join: sql.Composable | None = None


def row_columns(definition: Definition, scope: Scope, names: Names, *, is_masked: bool) -> list[OutColumn]:
    """Return the declared columns of an export of rows, in order.

    A reference to a row of another export is NULL unless that row may be exported too, masked or not. Columns that the
    role of exports may not read are masked already where `is_masked` (`Definition.masked_parts`).
    """
    found = []
    for name, (part, column) in definition.columns.items():
        value: sql.Composable = sql.Identifier(part.name, column.name)
        join: sql.Composable | None = None
        reference = definition.references.get(name)
        if reference:
            value, join = only_leaving(name, value, reference, scope)
        data_type, mask = column.data_type, HOW[column.pii] if is_masked else None
        if mask:
            data_type = masked_type(column)
            value = value if column.is_withheld else masked(value, column, names)
        found.append(OutColumn(name, data_type, value, mask, reference.text if reference else None, join))
    return found


def safe_in_spreadsheets(column: OutColumn) -> sql.Composable:
    """Return the SQL of a value with an apostrophe before each possible formula; a number like -12.5 is kept."""
    if column.data_type.startswith(HARMLESS_TYPES) or column.mask:
        return column.value
    value = sql.SQL("({})::text").format(column.value) if column.data_type.endswith("[]") else column.value
    return _SAFE.format(value=value, suspect=SUSPECT, number=NUMBER, beginning=BEGINNING, apostrophe="'")
