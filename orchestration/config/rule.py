"""Rules between values of the configuration, which run only if all values that they read are valid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from orchestration.config.problems import KeyPath, Problem
from orchestration.config.settings import Settings


@dataclass(frozen=True)
class Rule:
    """A rule and the paths that it reads, of attributes and keys from Settings.

    A value of the wrong type is already reported, so a rule that reads it is skipped. An exception of `find` is a
    defect of the rule and is not caught.
    """

    find: Callable[[Settings], Iterator[Problem]]
    reads: tuple[KeyPath, ...]


def path(dotted_name: str) -> KeyPath:
    """Return the path of a dotted name such as `insights.etl.concurrency`."""
    return tuple(dotted_name.split("."))


def fits(settings: Settings, where: KeyPath) -> bool:
    """Return whether the settings have a value at a path; partial settings lack the invalid values."""
    value: object = settings
    for part in where:
        inside: Mapping[Any, object] = value if isinstance(value, Mapping) else vars(value)
        if part not in inside:
            return False
        value = inside[part]
    return True


def broken(rules: Iterable[Rule], settings: Settings) -> list[Problem]:
    """Return the problems that the rules find; a rule that reads an invalid value is skipped."""
    return [
        *chain.from_iterable(
            rule.find(settings) for rule in rules if all(fits(settings, where) for where in rule.reads)
        )
    ]
