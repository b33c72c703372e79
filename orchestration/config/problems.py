"""A problem of the configuration: where it is, what is wrong, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from orchestration.config.tokens import Environment
from orchestration.errors import MisconfiguredError

# An error stops every command; a warning is a valid value that is probably a mistake; a note is information.
Level = Literal["error", "warning", "note"]
KeyPath = tuple[str | int, ...]

CLOSE = 0.6
SHORTEST = 3  # minimum length of a prefix match, such as prod and production


@dataclass(frozen=True)
class Problem:
    """One problem. `value` is already masked; `environment` is the only ENVIRONMENT it applies to, None for all."""

    level: Level
    says: str
    file: str
    line: int | None = None
    column: int | None = None
    key: str = ""
    value: str | None = None
    environment: Environment | None = None

    def __str__(self) -> str:
        """Return one line: level, file:line[:column], key, value, what is wrong and what would be right."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        subject = f"{self.key} is {self.value}: " if self.value is not None else f"{self.key}: " if self.key else ""
        where = f" (in {self.environment})" if self.environment else ""
        return f"{self.level}: {place}: {subject}{self.says}{where}"


def dotted(path: KeyPath) -> str:
    """Return a path of keys and list indexes with dots, such as insights.exports.allowed_visibilities.0."""
    return ".".join(map(str, path))


def closest(word: object, known: Iterable[str]) -> str | None:
    """Return the most similar known word; None if none is similar."""
    by_lower = {name.lower(): name for name in known}
    lower = str(word).lower()
    longer = [name for name in by_lower if len(name) >= SHORTEST and (lower.startswith(name) or name.startswith(lower))]
    found = get_close_matches(lower, by_lower, n=1, cutoff=CLOSE) or (longer if len(lower) >= SHORTEST else [])
    return by_lower[found[0]] if found else None


def nearest(word: object, known: Iterable[str]) -> str:
    """Return " Did you mean x?" for the most similar known word; "" if none is similar."""
    found = closest(word, known)
    return f" Did you mean {found}?" if found else ""


def raise_errors(problems: Iterable[Problem]) -> None:
    """Raise MisconfiguredError with all errors among the problems, if there are any."""
    errors = [problem for problem in problems if problem.level == "error"]
    if errors:
        lines = "\n  ".join(map(str, errors))
        raise MisconfiguredError(f"The configuration has {len(errors)} error{'s'[: len(errors) > 1]}:\n  {lines}")
