"""One finding about the configuration, whatever the mistake: where it is, what it is, what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from orchestration.config.tokens import Environment
from orchestration.errors import MisconfiguredError

# An error stops every command; a warning is something that works and is probably not meant; a note is worth knowing.
Level = Literal["error", "warning", "note"]
KeyPath = tuple[str | int, ...]

CLOSE = 0.6
SHORTEST = 3  # of words of which one begins the other, such as prod and production


@dataclass(frozen=True)
class Problem:
    """One finding. `value` is masked already; `environment` is set when it holds in that ENVIRONMENT only."""

    level: Level
    says: str
    file: str
    line: int | None = None
    column: int | None = None
    key: str = ""
    value: str | None = None
    environment: Environment | None = None

    def __str__(self) -> str:
        """The finding as one line: level, file:line[:column], key, value, what is wrong and what would be right."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        subject = f"{self.key} is {self.value}: " if self.value is not None else f"{self.key}: " if self.key else ""
        where = f" (in {self.environment})" if self.environment else ""
        return f"{self.level}: {place}: {subject}{self.says}{where}"


def dotted(path: KeyPath) -> str:
    """A path of keys and positions as people write it: insights.exports.allowed_visibilities.0."""
    return ".".join(map(str, path))


def closest(word: object, known: Iterable[str]) -> str | None:
    """The known word that is most like this one; None when none is."""
    by_lower = {name.lower(): name for name in known}
    lower = str(word).lower()
    longer = [name for name in by_lower if len(name) >= SHORTEST and (lower.startswith(name) or name.startswith(lower))]
    found = get_close_matches(lower, by_lower, n=1, cutoff=CLOSE) or (longer if len(lower) >= SHORTEST else [])
    return by_lower[found[0]] if found else None


def nearest(word: object, known: Iterable[str]) -> str:
    """' Did you mean x?' for the known word that is most like this one; empty when none is."""
    found = closest(word, known)
    return f" Did you mean {found}?" if found else ""


def raise_errors(problems: Iterable[Problem]) -> None:
    """Raise MisconfiguredError with every error among the problems, if there is one."""
    errors = [problem for problem in problems if problem.level == "error"]
    if errors:
        lines = "\n  ".join(map(str, errors))
        raise MisconfiguredError(f"The configuration has {len(errors)} error{'s'[: len(errors) > 1]}:\n  {lines}")
