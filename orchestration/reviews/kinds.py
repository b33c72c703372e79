"""Reads the kinds of pattern and the names of categories from the seeds, which SQL joins too."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from orchestration.config.files import PROJECT

SEEDS = PROJECT / "seeds"


@dataclass(frozen=True)
class PatternKind:
    """One kind of pattern: its name, its explanation, and the rules that an explanation of a pattern mentions."""

    kind: str
    display_name: str
    explanation: str
    is_of_category: bool
    threshold_cap: int
    min_departments: int


@cache
def pattern_kinds() -> dict[str, PatternKind]:
    """Return every kind of pattern by its name, in the order of the seed."""
    return {row["kind"]: _pattern_kind(row) for row in _rows("pattern_kinds")}


@cache
def category_names() -> dict[str, str]:
    """Return the name of each category of labels by its digit."""
    return {row["category"]: row["name"] for row in _rows("label_categories")}


@cache
def subcategory_names() -> dict[str, str]:
    """Return the name of each subcategory of labels by its digit."""
    return {row["subcategory"]: row["name"] for row in _rows("label_subcategories")}


def _rows(seed: str) -> list[dict[str, str]]:
    with (SEEDS / f"{seed}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _pattern_kind(row: dict[str, str]) -> PatternKind:
    return PatternKind(
        kind=row["kind"],
        display_name=row["display_name"],
        explanation=row["explanation"],
        is_of_category=row["grouped_by"] == "category",
        threshold_cap=int(row["threshold_cap"]),
        min_departments=int(row["min_departments"]),
    )
