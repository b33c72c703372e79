"""What a spreadsheet reads as a formula, and how a text of a CSV is kept from it: one rule for Python and SQL.

The page's `csv.js` has the same rule in JavaScript; a test compares them.
"""

from __future__ import annotations

import re

from psycopg import sql

# Some spreadsheets skip blanks before the sign. The last four are full-width = + - @.
_SIGNS = r"=+@\-\uff1d\uff0b\uff0d\uff20"
# A program with semicolon or tab as separator, such as Excel in many European locales, starts a cell after one, and
# after a line break in quoted text; a formula can begin there too.
_BEGINNING = rf"^(?=[\t\r\n]|\s*[{_SIGNS}])|(?<=[;\t\r\n])(?=[ \f\v\"]*[{_SIGNS}])"
_SUSPECT = rf"[{_SIGNS}\t\r\n]"  # a cheap test first: most texts match none of these, which takes a third of the time
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SAFE = sql.SQL(
    "case when {value} ~ {suspect} and {value} !~ {number}"
    " then regexp_replace({value}, {beginning}, {apostrophe}, 'g') else {value} end"
)


def safe_text(text: str) -> str:
    """Return a text with an apostrophe before each possible formula; a number like -12.5 is kept."""
    return text if re.match(_NUMBER[:-1] + r"\Z", text) else re.sub(_BEGINNING, "'", text)


def safe_sql(value: sql.Composable) -> sql.Composable:
    """Return the SQL of a text with an apostrophe before each possible formula, as `safe_text` returns it."""
    return _SAFE.format(value=value, suspect=_SUSPECT, number=_NUMBER, beginning=_BEGINNING, apostrophe="'")
