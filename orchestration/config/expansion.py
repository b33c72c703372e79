"""Replaces `${NAME}` in the values of a document with environment variables, and reports those that are not set."""

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

EVERY = "*"  # each item of a list
# Secrets, URLs and paths: the settings keep `${NAME}` and expand it on use, so that other commands need no variable.
_LATE: tuple[KeyPath, ...] = (
    ("insights", "warehouse", "connection_url"),
    ("insights", "warehouse", "path"),
    ("insights", "warehouse", "serving_url"),
    ("insights", "source", "snapshot_directory"),
    ("insights", "cache", "url"),
    ("insights", "exports", "connection_url"),
    ("insights", "exports", "directory"),
    ("insights", "backups", "repository"),
    ("insights", "backups", "airflow_directory"),
    ("insights", "reviews", "url"),
    ("insights", "reviews", "token"),
    ("insights", "alerts", "webhook_url"),
    ("insights", "alerts", "smtp_url"),
    ("insights", "digests", "recipients", EVERY, "webhook_url"),
)


def is_late(path: KeyPath) -> bool:
    """Return whether the variables in a value are expanded when it is used."""
    return any(
        len(late) == len(path) and all(part in (EVERY, key) for part, key in zip(late, path, strict=True))
        for late in _LATE
    )


def expand(text: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the text with its variables replaced, and the names of unset variables, whose references are kept."""
    values = {name: environ.get(name) or DEFAULTS.get(name, "") for name in REFERENCE.findall(text)}
    expanded = REFERENCE.sub(lambda found: values[found[1]] or found[0], text)
    return expanded, [name for name, value in values.items() if not value]


def expand_document(document: Document, environ: Mapping[str, str]) -> None:
    """Expand every string of a document in place, and add a problem for each variable that is not set."""
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
    keeps = is_late(path)
    for name in missing:
        says = f"the environment variable {name} is not set"
        says += "; only commands that use it need it" if keeps else f"; export {name}=... or write the value here"
        _report(document, "note" if keeps else "error", path, says, value)
    if REFERENCE.sub("", value).count("${"):
        _report(document, "error", path, "a variable must be written ${NAME}", value)
    return value if keeps or missing else Expanded(text)


def _report(document: Document, level: Level, path: KeyPath, says: str, value: str) -> None:
    place, key = document.places[path], dotted(path)
    document.problems.append(Problem(level, says, place.file, place.line, None, key, shown(key, value)))
