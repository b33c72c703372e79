"""Texts that others wrote, on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text on one line, what would move the cursor, change colours or turn the direction of writing as an escape.

    Whoever may write a label, or try an export under a name of his choice, could else write lines of a report.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
