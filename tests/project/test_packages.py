"""The product and the workshop are two packages: the product's wheel needs nothing of the workshop."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from click.testing import CliRunner

from orchestration.cli import commands
from orchestration.config.files import PROJECT

WORKSHOP_COMMANDS = {"demo", "airflow", "load-incidents"}


def test_a_wheel_of_the_product_holds_no_workshop(tmp_path: Path) -> None:
    copy = tmp_path / "project"
    for name in subprocess.run(
        ["git", "ls-files", "orchestration", "workshop", "pyproject.toml", "README.md", "LICENSE"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((PROJECT / name).read_bytes())
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        str(tmp_path),
        str(copy),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packages = {Path(name).parts[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert "orchestration" in packages
    assert "workshop" not in packages


def test_the_product_imports_nothing_of_the_workshop() -> None:
    importing = [
        str(file.relative_to(PROJECT))
        for file in PROJECT.glob("orchestration/**/*.py")
        if re.search(r"^\s*(from|import) workshop\b", file.read_text("utf-8"), re.M)
    ]
    assert importing == []


def test_what_asks_the_database_knows_nothing_of_dbt_and_what_is_above_it() -> None:
    below = ("orchestration.config.", "orchestration.errors", "orchestration.warehouse")
    imported = {
        (file.name, name)
        for file in PROJECT.glob("orchestration/warehouse/*.py")
        for name in re.findall(r"^\s*(?:from|import) (orchestration[\w.]*)", file.read_text("utf-8"), re.M)
    }
    assert ("loads.py", "orchestration.errors") in imported
    assert {(file, name) for file, name in imported if not name.startswith(below)} == set()


def test_the_help_of_insights_lists_no_command_of_the_workshop() -> None:
    assert WORKSHOP_COMMANDS.isdisjoint(commands.commands)
    output = CliRunner().invoke(commands, ["--help"]).output
    assert not re.search(r"^  (demo|airflow|load-incidents)\b", output, re.M)
