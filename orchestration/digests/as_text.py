"""Writes a digest as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from orchestration.digests.words import Message, Table

WIDTH = 100  # characters of a sentence


def as_text(message: Message) -> str:
    """Return the text of a message, which says everything that its HTML does."""
    return "\n".join(_lines(message)).rstrip() + "\n"


def _lines(message: Message) -> Iterator[str]:
    yield message.heading
    yield "=" * len(message.heading)
    yield ""
    for sentence in message.sentences:
        yield from _wrapped(sentence)
    for table in message.tables:
        yield from ("", table.heading, "-" * len(table.heading))
        yield from _rows(table)
    for chart in message.charts:
        yield ""
        yield from _wrapped(chart.text)
    yield ""
    if message.link:
        yield from (f"All patterns: {message.link}", "")
    for sentence in message.footer:
        yield from _wrapped(sentence)


def _rows(table: Table) -> Iterator[str]:
    """Yield one line for each row; a text is not aligned, because messages are read in any font."""
    for row in table.rows:
        yield "* " + "; ".join(
            value if index == 0 else f"{name}: {value}"
            for index, (name, value) in enumerate(zip(table.columns, row, strict=True))
        )
    if table.left_out:
        yield f"  and {table.left_out:,} more"


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, WIDTH, break_on_hyphens=False, break_long_words=False)
