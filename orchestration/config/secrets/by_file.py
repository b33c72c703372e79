"""Environment variables whose value may be in a file that NAME_FILE names, as orchestrators mount secrets (D235)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from orchestration.config.masking import shown
from orchestration.config.problems import Problem
from orchestration.config.variables import PREFIX, VARIABLES
from orchestration.errors import MisconfiguredError

SUFFIX = "_FILE"
LARGEST = 64 * 1024  # bytes

_KNOWN = {variable.name: variable for variable in VARIABLES}
_OF_OTHERS = (PREFIX, "AIRFLOW__")


class Variables(Mapping[str, str]):
    """The environment variables, in which NAME has the line of the file of NAME_FILE, if that is set.

    A value is read from its file once, when it is first asked for, and without the newline at its end. A file that
    cannot be read, is empty, has several lines or is named although NAME is set, is a problem. It counts as not set.
    """

    def __init__(self, given: Mapping[str, str] | None = None, on_problem: Callable[[Problem], None] | None = None):
        """Look in `given`, by default this process's environment.

        Without `on_problem`, a problem raises MisconfiguredError when the value is asked for.
        """
        self._given = os.environ if given is None else given
        self._on_problem = on_problem or _raise
        self._from_files: dict[str, str | None] = {}

    def __getitem__(self, name: str) -> str:
        """Return the value; raises KeyError if the variable is not set, and MisconfiguredError as described above."""
        if not self.file(name):
            return self._given[name]
        if name not in self._from_files:
            self._from_files[name] = None
            self._from_files[name] = self._read(name)
        if (value := self._from_files[name]) is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the variables that are set, and of those that are in files."""
        files = (name.removesuffix(SUFFIX) for name in self._given if name.endswith(SUFFIX))
        return iter({*self._given, *(name for name in files if name in _KNOWN and self.file(name))})

    def __len__(self) -> int:
        """Return the number of these names."""
        return sum(1 for _ in self)

    def file(self, name: str) -> str | None:
        """Return the path in NAME_FILE; None if it is not set, or if a file cannot hold the value of this variable."""
        return self._given.get(f"{name}{SUFFIX}") or None if takes_file(name) else None

    def _read(self, name: str) -> str | None:
        path = self._given[f"{name}{SUFFIX}"]
        says = f"{name} is set too; unset one of the two" if self._given.get(name) else None
        if says is None:
            value, says = _line(Path(path))
        if says is None:
            return value
        self._on_problem(Problem("error", says, "environment", key=f"{name}{SUFFIX}", value=shown("", path)))
        return None


def takes_file(name: str) -> bool:
    """Return whether NAME_FILE may hold the value of a variable.

    That is so for the variables of Insights that are secrets or addresses, and for those of other names, which a
    configuration file refers to as ${NAME}. Airflow reads its own variables.
    """
    known = _KNOWN.get(name)
    return known.takes_file if known else not name.startswith(_OF_OTHERS)


def _line(path: Path) -> tuple[str, str | None]:
    """Return the one line of a file and None, or "" and what is wrong with the file."""
    try:
        if not path.is_file():  # a pipe would be empty the second time, or keep its reader waiting
            return "", "is not a file" if path.exists() else "there is no such file"
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        return "", f"the file cannot be read ({error.strerror})"
    text = os.fsdecode(content).removesuffix("\n").removesuffix("\r")
    if not text:
        return "", "the file is empty"
    if len(content) > LARGEST or any(character in text for character in "\n\r\0"):
        return "", f"the file must have one line of text of at most {LARGEST} bytes"
    return text, None


def _raise(problem: Problem) -> None:
    raise MisconfiguredError(f"{problem.key} is {problem.value}: {problem.says}.")
