"""Files that a person can read at once, and folders that a person can overlook."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from orchestration.config.files import PROJECT

MACRO = 100
MODULE = 300
YAML = 400
FOLDER = 25
MEDIAN_MART = 60


def files(*patterns: str) -> list[Path]:
    """Return the files of the repository that match, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    return [PROJECT / name for name in listed.split("\0") if name]


def lines(file: Path) -> int:
    return len(file.read_text("utf-8").splitlines())


def longer(found: list[Path], limit: int) -> dict[str, int]:
    return {str(file.relative_to(PROJECT)): lines(file) for file in found if lines(file) > limit}


@pytest.mark.parametrize(
    ("pattern", "limit"),
    [("macros/*.sql", MACRO), ("orchestration/*.py", MODULE), ("workshop/*.py", MODULE), ("models/*.yml", YAML)],
)
def test_a_file_is_short(pattern: str, limit: int) -> None:
    found = files(pattern)
    assert len(found) > 10
    assert longer(found, limit) == {}


def test_the_median_mart_is_short() -> None:
    assert median(map(lines, files("models/marts/*.sql"))) <= MEDIAN_MART


def test_a_folder_is_small() -> None:
    sizes = Counter(str(file.parent.relative_to(PROJECT)) for file in files())
    assert {folder: count for folder, count in sizes.items() if count > FOLDER} == {}


def test_a_long_file_is_named_with_its_length() -> None:
    locked = PROJECT / "requirements/dev.txt"
    assert longer([locked], MODULE) == {"requirements/dev.txt": len(locked.read_bytes().split(b"\n")) - 1}
