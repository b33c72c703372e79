"""Checks seeds/targets/targets.csv, and names file, line and column of a mistake (decision D222). Reads files only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from orchestration.config.deployment.lines import Line, named, read_lines, repeated
from orchestration.config.problems import Problem, nearest

FILE = Path("seeds/targets/targets.csv")
COLUMNS = ("organization_slug", "domain", "measure", "target_percent", "min_count")
MEASURES = ("kept_deadlines", "responses_within_limit", "completions_within_limit")
_PERCENT = re.compile(r"100(\.0{1,2})?|\d{1,2}(\.\d{1,2})?")
_COUNT = re.compile(r"[1-9]\d{0,8}")


def target_problems(project: Path) -> list[Problem]:
    """Return the errors of the file below `project`; none where it is absent."""
    problems: list[Problem] = []
    lines = read_lines(project, FILE, COLUMNS, problems)
    for line in lines:
        problems += _target(line)
    return [*problems, *repeated(lines, COLUMNS[:3])]


def _target(line: Line) -> Iterator[Problem]:
    yield from named(line, "organization_slug")
    yield from named(line, "domain")
    measure = line.cells["measure"]
    if measure not in MEASURES:
        yield line.problem("measure", f"must be one of {', '.join(MEASURES)}.{nearest(measure, MEASURES)}")
    if not _PERCENT.fullmatch(line.cells["target_percent"]):
        yield line.problem("target_percent", "must be a number from 0 to 100, with at most two decimals")
    if not _COUNT.fullmatch(line.cells["min_count"]):
        yield line.problem("min_count", "must be a whole number from 1")
