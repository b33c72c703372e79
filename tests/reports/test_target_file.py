"""A mistake in the file of the targets is named with its line and column, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.config.deployment.targets import COLUMNS, FILE, target_problems
from orchestration.config.files import PROJECT

RIGHT = [",".join(COLUMNS), "*,*,kept_deadlines,80,10", "*,care,kept_deadlines,99.5,1", "shop,*,kept_deadlines,0,5"]
MISTAKES = {
    "shop,*,kept_deadline,80,10": '5:3: measure is "kept_deadline": must be one of kept_deadlines,'
    " responses_within_limit, completions_within_limit. Did you mean kept_deadlines?",
    "shop,care,kept_deadlines,80 %,10": '5:4: target_percent is "80 %": must be a number from 0 to 100, with at most'
    " two decimals",
    "shop,care,kept_deadlines,100.1,10": '5:4: target_percent is "100.1": must be a number from 0 to 100, with at most'
    " two decimals",
    "shop,care,kept_deadlines,80,0": '5:5: min_count is "0": must be a whole number from 1',
    ",care,kept_deadlines,80,10": '5:1: organization_slug is "": must not be empty',
    "shop,*,kept_deadlines,80,10": '5:3: measure is "kept_deadlines": is in line 4 already',
}


def _problems(project: Path, lines: list[str]) -> list[str]:
    (project / FILE).parent.mkdir(parents=True)
    (project / FILE).write_text("\n".join([*lines, ""]), "utf-8")
    return [str(problem) for problem in target_problems(project)]


def test_right_lines_and_the_shipped_file_have_no_problem(tmp_path: Path) -> None:
    assert _problems(tmp_path, RIGHT) == []
    assert target_problems(PROJECT) == []


@pytest.mark.parametrize("line", MISTAKES)
def test_a_wrong_target(tmp_path: Path, line: str) -> None:
    assert _problems(tmp_path, [*RIGHT, line]) == [f"error: {FILE}:{MISTAKES[line]}"]
