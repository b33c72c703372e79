"""Replaces `${NAME}` in the values of a document by the environment's, and says which variables are not set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestration.config.masking import shown
from orchestration.config.problems import KeyPath, Level, Problem, dotted
from orchestration.config.tokens import Expanded
from orchestration.config.yaml_reader import Document

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
DEFAULTS = {"INSIGHTS_ENV": "dev"}

# Secrets, addresses and places: the settings keep `${NAME}` and look when a command needs the value, as few do.
LATE: tuple[KeyPath, ...] = (
    ("insights", "warehouse", "connection_url"),
    ("insights", "cache", "url"),
    ("insights", "exports", "directory"),
    ("insights", "reviews", "url"),
    ("insights", "reviews", "token"),
)


def expand(text: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """The text with its variables replaced, and the names of those that are not set, which stay as they are."""
    known = {name: environ.get(name) or DEFAULTS.get(name, "") for name in REFERENCE.findall(text)}
    done = REFERENCE.sub(lambda found: known[found[1]] or found[0], text)
    return done, [name for name, value in known.items() if not value]


def expand_document(document: Document, environ: Mapping[str, str]) -> None:
    """Expand every text of a document in place, and add a problem for each variable that is missing."""
    document.data = _expanded(document, document.data, (), environ)


def _expanded(document: Document, value: Any, path: KeyPath, environ: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _expanded(document, item, (*path, key), environ) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(document, item, (*path, index), environ) for index, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    text, missing = expand(value, environ)
    document.places[path] = replace(document.places[path], variables=tuple(REFERENCE.findall(value)))
    is_late = path in LATE
    for name in missing:
        says = f"the environment variable {name} is not set"
        says += "; commands that need it will say so" if is_late else f"; export {name}=... or write the value here"
        _report(document, "note" if is_late else "error", path, says, value)
    if REFERENCE.sub("", value).count("${"):
        _report(document, "error", path, "a variable is written ${NAME}", value)
    return value if is_late or missing else Expanded(text)


def _report(document: Document, level: Level, path: KeyPath, says: str, value: str) -> None:
    place, key = document.places[path], dotted(path)
    document.problems.append(Problem(level, says, place.file, place.line, None, key, shown(key, value)))
