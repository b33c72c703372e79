"""Finds the commands and the SQL in the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

PROGRAMS = (
    "insights",
    "./dev",
    "dbt",
    "airflow",
    "pip",
    "psql",
    "pre-commit",
    "workshop",
    "export",
    "eval",
    "PYTHONPATH=tests",
    ".",
)
SQL = ("select", "delete", "create", "update", "alter", "insert")
_BLOCK = re.compile(r"(?:^\n|\A)((?:^(?: {4,}\S.*)?\n)*^ {4,}\S.*$)", re.M)
_FENCED = re.compile(r"^```.*?^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A block of code that is indented by four spaces or more: its page, its lines without comments, and its kind."""

    page: str
    kind: str  # shell, sql or other
    lines: tuple[str, ...]


def blocks(pages: Mapping[str, str]) -> Iterator[Block]:
    """Yield each indented block of the pages; lines that end with a backslash are joined with the next."""
    for page, text in pages.items():
        for found in _BLOCK.findall(_FENCED.sub("", text)):
            yield from _parts(page, re.sub(r"\\\n\s*", " ", found).split("\n"))


def _parts(page: str, lines: list[str]) -> Iterator[Block]:
    """Split a block where the kind of its lines changes, as where SQL is followed by a command."""
    kind, part = "", list[str]()
    for line in filter(None, (re.sub(r"\s+(?:#|--) .*$", "", line).strip() for line in lines)):
        now = _kind(line, kind)
        if part and now != kind:
            yield Block(page, kind, tuple(part))
            part = []
        kind = now
        if not line.startswith("-- "):
            part.append(line)
    if part:
        yield Block(page, kind, tuple(part))


def _kind(line: str, before: str) -> str:
    first = line.split(maxsplit=1)[0]
    if first in PROGRAMS:
        return "shell"
    if first in SQL or (before == "sql" and not line[0].isupper()):
        return "sql"
    return before if before == "other" or line.startswith("--") else "other"
