"""Follows the recipes of CONTRIBUTING.md on a copy of the project."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestration.config.files import PROJECT

NOT_COPIED = (".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "target", "logs", "build")
BLOCK = re.compile(
    r'^```\w+ file=(?P<file>\S+)(?: after="(?P<after>[^"]*)")?(?: table="(?P<table>[^"]*)")?\n(?P<text>.*?)^```$',
    re.M | re.S,
)


@dataclass(frozen=True)
class Block:
    """A piece of a recipe: text for a new file, or for an existing one.

    With `after`, its place is below that line, with `table` at the end of the table below that heading.
    """

    file: str
    after: str | None
    table: str | None
    text: str


def recipe(title: str) -> list[Block]:
    """Return the blocks of the recipe with this title, in order."""
    page = (PROJECT / "CONTRIBUTING.md").read_text("utf-8")
    _, section = page.split(f"\n### {title}\n")
    section = re.split(r"^##+ ", section, maxsplit=1, flags=re.M)[0]
    return [Block(**found.groupdict()) for found in BLOCK.finditer(section)]


@dataclass(frozen=True)
class Copy:
    """A copy of the project, and a folder for what its commands write."""

    project: Path
    work: Path

    @classmethod
    def make(cls, folder: Path) -> Copy:
        """Copy the project, without what is generated, into `folder`."""
        project, work = folder / "project", folder / "work"
        shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns(*NOT_COPIED))
        work.mkdir()
        # The tests of the documentation read the files that git knows.
        for command in (["git", "init", "--quiet"], ["git", "add", "--all"]):
            subprocess.run(command, cwd=project, check=True)
        return cls(project, work)

    def follow(self, title: str) -> None:
        """Do what a recipe says; a block fits only where its line stands exactly once."""
        for block in recipe(title):
            file = self.project / block.file
            if block.after is None and block.table is None:
                assert not file.exists(), f"{block.file} is there already"
                file.write_text(block.text, "utf-8")
                continue
            lines = file.read_text("utf-8").splitlines(keepends=True)
            place = block.after or f"## {block.table}"
            (line,) = [number for number, text in enumerate(lines) if text == f"{place}\n"]
            if block.table:
                below = itertools.takewhile(
                    lambda text: not text[1].startswith("#"), enumerate(lines[line + 1 :], line + 1)
                )
                line = [number for number, text in below if text.startswith("|")][-1]
            file.write_text("".join([*lines[: line + 1], block.text, *lines[line + 1 :]]), "utf-8")

    def run(self, *command: str, **variables: str) -> str:
        """Run a Python program of the environment in the copy; returns its output, which must be that of a success."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.project),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DBT_TARGET_PATH": str(self.work / "target"),
            "DBT_LOG_PATH": str(self.work / "logs"),
            **variables,
        }
        program = str(Path(sys.executable).with_name(command[0]))
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self.project,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
