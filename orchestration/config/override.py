"""INSIGHTS_PATTERN_CONFIG_PATH: a file whose thresholds win over those of config.yaml (specification, section 5)."""

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
    """The file that INSIGHTS_PATTERN_CONFIG_PATH names, with its problems; None when it is not set.

    It has some of the keys of config.yaml's `patterns`, below `insights: patterns:` or `patterns:`.
    """
    name = environ.get(VARIABLE)
    if not name:
        return None
    document = read_yaml(Path(name), name)
    if () not in document.places:
        document.problems = [_as_named(problem, name) for problem in document.problems]
        return document
    head = Document(name, {"metadata": document.data.get("metadata")}, document.places, document.problems)
    expand_document(head, environ)  # the rest is expanded where it is going to stand
    document.data |= {key: value for key, value in head.data.items() if value is not None}
    document.problems += validate(document, PatternsFile).problems
    if "patterns" in document.data and "insights" in document.data:
        says = "the thresholds stand either here or below insights, not in both"
        document.problems.append(Problem("error", says, name, document.places[("patterns",)].line, None, "patterns"))
    return document


def _as_named(problem: Problem, name: str) -> Problem:
    """A file without a line cannot be opened: the variable is what is wrong."""
    if problem.line is not None:
        return problem
    where = "" if Path(name).is_absolute() else f" (looked for in {Path.cwd()}; an absolute path is safe)"
    says = f"{problem.says}{where}; it must name a file of thresholds, or not be set"
    return replace(problem, says=says, file="environment", key=VARIABLE, value=shown("", name))


def apply_override(config: Document, override: Document) -> None:
    """Put the thresholds of `override` over those of config.yaml, key by key.

    Each value keeps its own file and line, so that whatever is wrong with it is reported there.
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
    """The mapping at a key; an empty one where there is none, which the shape's check reports."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}
