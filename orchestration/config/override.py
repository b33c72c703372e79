"""Applies the file of INSIGHTS_PATTERN_CONFIG_PATH, which overrides thresholds of config.yaml (section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestration.config.expansion import expand_document
from orchestration.config.masking import shown
from orchestration.config.model import PatternsFile
from orchestration.config.problems import KeyPath, Problem
from orchestration.config.shape import validate
from orchestration.config.yaml_reader import Document, Place, read_yaml

VARIABLE = "INSIGHTS_PATTERN_CONFIG_PATH"
SECTION: KeyPath = ("insights", "patterns")


def read_override(environ: Mapping[str, str]) -> Document | None:
    """Return the file of INSIGHTS_PATTERN_CONFIG_PATH with its problems; None if the variable is not set.

    It has keys of config.yaml's `patterns`, below `insights: patterns:` or `patterns:`.
    """
    name = environ.get(VARIABLE)
    if not name:
        return None
    document = read_yaml(Path(name), name)
    if () not in document.places:
        document.problems = [_as_named(problem, name) for problem in document.problems]
        return document
    head = Document(name, {"metadata": document.data.get("metadata")}, document.places, document.problems)
    expand_document(head, environ)  # the rest is expanded after it is merged
    document.data |= {key: value for key, value in head.data.items() if value is not None}
    document.problems += validate(document, PatternsFile).problems
    if "patterns" in document.data and "insights" in document.data:
        says = "the thresholds must be either here or below insights, not in both places"
        document.problems.append(Problem("error", says, name, document.places[("patterns",)].line, None, "patterns"))
    return document


def _as_named(problem: Problem, name: str) -> Problem:
    """Return a problem without a line, which means that the file cannot be opened, as a problem of the variable."""
    if problem.line is not None:
        return problem
    where = "" if Path(name).is_absolute() else f" (relative to {Path.cwd()}; an absolute path is safer)"
    says = f"{problem.says}{where}; set the path of a file with thresholds, or unset the variable"
    return replace(problem, says=says, file="environment", key=VARIABLE, value=shown("", name))


def apply_override(config: Document, override: Document) -> None:
    """Replace thresholds of config.yaml with those of `override`, key by key.

    Each value keeps its file and line, so that problems are reported there.
    """
    base = _mapping(_mapping(config.data, "insights"), "patterns")
    below = "insights" in override.data
    given = _mapping(_mapping(override.data, "insights") if below else override.data, "patterns")
    depth = len(SECTION) if below else 1
    places = {(*SECTION, *path[depth:]): place for path, place in override.places.items() if len(path) > depth}
    _overlay(config, base, given, places, SECTION)


def _overlay(
    config: Document, base: dict[str, Any], given: dict[str, Any], places: Mapping[KeyPath, Place], path: KeyPath
) -> None:
    for key, value in given.items():
        here = (*path, key)
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _overlay(config, base[key], value, places, here)
            continue
        base[key] = value
        kept = {old: place for old, place in config.places.items() if old[: len(here)] != here}
        config.places = kept | {new: place for new, place in places.items() if new[: len(here)] == here}


def _mapping(data: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the mapping at a key, {} if there is none; the check of the schema reports that."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}
