"""The product and the workshop are two packages: the product's wheel needs nothing of the workshop."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestration.cli import commands
from orchestration.config.files import PROJECT

WORKSHOP_COMMANDS = {"demo", "airflow", "load-incidents"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel of the product, built from the files that git knows."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "project"
    listed = ["git", "ls-files", "orchestration", "workshop", "pyproject.toml", "README.md", "LICENSE"]
    for name in subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((PROJECT / name).read_bytes())
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(copy))
    (made,) = folder.glob("*.whl")
    return made


def _pip(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_wheel_of_the_product_holds_no_workshop(wheel: Path) -> None:
    packages = {Path(name).parts[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert "orchestration" in packages
    assert "workshop" not in packages


def test_the_installed_wheel_runs_without_the_workshop(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv/bin/python"
    _pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    # The libraries of this environment, without its editable installs: a .pth file is not read in a folder of another.
    (packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    shown = run(python.with_name("insights"), "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    listed = set(re.findall(r"^  ([a-z][a-z-]+) ", shown.stdout, re.M))
    assert listed == set(commands.commands)
    assert "No module named 'workshop'" in run(python, "-c", "import workshop").stderr


def test_the_product_imports_nothing_of_the_workshop() -> None:
    importing = [
        str(file.relative_to(PROJECT))
        for file in PROJECT.glob("orchestration/**/*.py")
        if re.search(r"^\s*(from|import) workshop\b", file.read_text("utf-8"), re.M)
    ]
    assert importing == []


def test_the_warehouse_package_imports_no_package_above_it() -> None:
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
