"""Files that a person can read at once, and folders that a person can survey."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from statistics import median

import pytest
from support.documentation import files, read

from orchestration.config.files import PROJECT

MACRO = 100
MODULE = 300
YAML = 400
FOLDER = 25
MEDIAN_MART = 60


def lengths(*patterns: str) -> dict[str, int]:
    """Return the lines of each file of the repository that matches."""
    return {name: len(text.splitlines()) for name, text in read(PROJECT, *patterns).items()}


def longer(found: dict[str, int], limit: int) -> dict[str, int]:
    return {name: lines for name, lines in found.items() if lines > limit}


@pytest.mark.parametrize(
    ("pattern", "limit"),
    [
        ("macros/*.sql", MACRO),
        ("models/*.yml", YAML),
        *((f"{folder}/*.py", MODULE) for folder in ("benchmarks", "orchestration", "tests", "workshop")),
    ],
)
def test_a_file_is_short(pattern: str, limit: int) -> None:
    found = lengths(pattern)
    assert len(found) > 4
    assert longer(found, limit) == {}


def test_the_median_mart_is_short() -> None:
    assert median(lengths("models/marts/*.sql").values()) <= MEDIAN_MART


def test_a_folder_is_small() -> None:
    sizes = Counter(str(PurePosixPath(name).parent) for name in files(PROJECT))
    assert {folder: count for folder, count in sizes.items() if count > FOLDER} == {}


def test_a_file_beyond_the_limit_is_named_with_its_length() -> None:
    assert longer({"short.sql": 100, "long.sql": 101}, MACRO) == {"long.sql": 101}
    counted = (PROJECT / "requirements/dev.txt").read_bytes().count(b"\n")
    assert lengths("requirements/dev.txt") == {"requirements/dev.txt": counted}
