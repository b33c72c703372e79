"""What a spreadsheet reads as a formula, in regular expressions of Python and PostgreSQL, for texts of CSV files.

The page's `csv.js` has the same rule in JavaScript; a test compares them.
"""

from __future__ import annotations

import re

# Some spreadsheets skip blanks before the sign. The last four are full-width = + - @.
_SIGNS = r"=+@\-\uff1d\uff0b\uff0d\uff20"
# A program with semicolon or tab as separator, such as Excel in many European locales, starts a cell after one, and
# after a line break in quoted text; a formula can begin there too.
BEGINNING = rf"^(?=[\t\r\n]|\s*[{_SIGNS}])|(?<=[;\t\r\n])(?=[ \f\v\"]*[{_SIGNS}])"
SUSPECT = rf"[{_SIGNS}\t\r\n]"  # a cheap test first: most texts match none of these, which takes a third of the time
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def safe_text(text: str) -> str:
    """Return a text with an apostrophe before each possible formula; a number like -12.5 is kept."""
    return text if re.match(NUMBER[:-1] + r"\Z", text) else re.sub(BEGINNING, "'", text)
