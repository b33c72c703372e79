"""A copy of the shipped configuration that a test may spoil, and what is then said about it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from orchestration.config.files import CONFIG_FILE, DAGS_FILE, PROFILES_FILE, PROJECT, Checked, check

CONFIG, DAGS, PROFILES = str(CONFIG_FILE), str(DAGS_FILE), str(PROFILES_FILE)


@dataclass(frozen=True)
class ConfigProject:
    """A folder with the three files."""

    folder: Path

    @classmethod
    def copy_to(cls, folder: Path) -> ConfigProject:
        shutil.copytree(PROJECT / "config", folder / "config")
        return cls(folder)

    def text(self, file: str = CONFIG) -> str:
        return (self.folder / file).read_text("utf-8")

    def write(self, text: str, file: str = CONFIG) -> None:
        (self.folder / file).write_text(text, "utf-8")

    def edit(self, old: str, new: str, file: str = CONFIG) -> int:
        """Replace a text that occurs once; returns its line."""
        text = self.text(file)
        assert text.count(old) == 1, old
        self.write(text.replace(old, new), file)
        return text.count("\n", 0, text.index(old)) + 1

    def line_of(self, text: str, file: str = CONFIG) -> int:
        """Return the line of a text that occurs once."""
        assert self.text(file).count(text) == 1, text
        return self.text(file).count("\n", 0, self.text(file).index(text)) + 1

    def check(self, env: str = "prod", **variables: str) -> Checked:
        return check(self.folder, {"INSIGHTS_ENV": env} | variables)

    def said(self, level: str = "error", env: str = "prod", **variables: str) -> list[str]:
        """Return the problems of a level, without the level's name."""
        problems = self.check(env, **variables).problems
        return [str(problem).removeprefix(f"{level}: ") for problem in problems if problem.level == level]
