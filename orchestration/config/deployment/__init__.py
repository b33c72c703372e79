"""Checks the CSV files of the deployment, which dbt loads as seeds. Reads files only."""

from __future__ import annotations

from pathlib import Path

from orchestration.config.deployment.calendars import calendar_problems
from orchestration.config.deployment.targets import target_problems
from orchestration.config.problems import Problem

__all__ = ["deployment_problems"]


def deployment_problems(project: Path) -> list[Problem]:
    """Return the errors of the files below `project`; none where they are absent."""
    return [*calendar_problems(project), *target_problems(project)]
