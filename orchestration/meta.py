"""Reads declarations of `config.meta` in the dbt project as typed models: exports, dashboards, retention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from orchestration.config.problems import dotted
from orchestration.config.shape import wanted
from orchestration.errors import MisconfiguredError

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Declaration:
    """One key of a `config.meta`: its YAML file, the declaring object (`dashboard overview`), the key (`dashboard`)."""

    file: str
    subject: str
    key: str

    def read(self, data: Any, shape: TypeAdapter[Shape]) -> Shape:
        """Return the typed declaration; raises MisconfiguredError with a line for each invalid key."""
        try:
            return shape.validate_python(data)
        except ValidationError as error:
            found = [self._line(_path(data, e["loc"]), wanted(e)) for e in error.errors(include_url=False)]
            raise MisconfiguredError("\n".join(found)) from error

    def wrong(self, path: str, says: str) -> MisconfiguredError:
        """Return the error for a value at a path below the key."""
        return MisconfiguredError(self._line(path, says))

    def _line(self, path: str, says: str) -> str:
        key = f"config.meta.{self.key}.{path}".rstrip(".")
        return f"{self.file}: {self.subject}: {key}: {says}."


def _path(data: Any, location: Sequence[str | int]) -> str:
    """Return pydantic's location without the tags of its unions, because they are not keys of the file."""
    kept: list[str | int] = []
    for index, part in enumerate(location):
        is_last = index == len(location) - 1
        if isinstance(data, dict) and part not in data and not is_last:
            continue
        kept.append(part)
        if not is_last:
            data = data[part]
    return dotted(tuple(kept))
