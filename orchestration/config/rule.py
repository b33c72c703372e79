"""One rule between values of the configuration, and which of the values it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from orchestration.config.problems import KeyPath, Problem
from orchestration.config.settings import Settings


@dataclass(frozen=True)
class Rule:
    """A rule, and what it reads: paths of attributes and keys that start at Settings.

    A value that does not fit its type is reported already, so a rule that reads it is left out. Any error that `find`
    raises is a slip in the rule, and is not caught.
    """

    find: Callable[[Settings], Iterator[Problem]]
    reads: tuple[KeyPath, ...]


def path(dotted_name: str) -> KeyPath:
    """Return the path of `insights.etl.concurrency`."""
    return tuple(dotted_name.split("."))


def fits(settings: Settings, where: KeyPath) -> bool:
    """Return whether the value at a path is known, which it is everywhere unless the settings are in part."""
    value: object = settings
    for part in where:
        inside: Mapping[Any, object] = value if isinstance(value, Mapping) else vars(value)
        if part not in inside:
            return False
        value = inside[part]
    return True


def broken(rules: Iterable[Rule], settings: Settings) -> list[Problem]:
    """Return what the rules find, those left out that read a value that is not known."""
    return [
        *chain.from_iterable(
            rule.find(settings) for rule in rules if all(fits(settings, where) for where in rule.reads)
        )
    ]
