"""What of a document fits its model although something else does not, so that its rules are checked in the same go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import UnionType
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from orchestration.config.problems import Problem
from orchestration.config.tokens import PerEnvironment, Section

Model = TypeVar("Model", bound=BaseModel)


def fitting(data: object, model: type[Model]) -> Model:
    """The model with the values that fit; whoever reads another one gets an AttributeError."""
    known = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        if not isinstance(data, dict) or key not in data:
            continue
        kind: Any = field.annotation
        if _is_section(kind):
            known[name] = fitting(data[key], kind)
            continue
        for rule in field.metadata:
            kind = Annotated[kind, rule]
        with suppress(ValidationError):
            known[name] = TypeAdapter(kind).validate_python(data[key], strict=True)
    return model.model_construct(**known)


def as_far_as_known(findings: Iterable[Problem]) -> Iterator[Problem]:
    """What a rule finds before it meets a value that does not fit, which is reported already."""
    with suppress(AttributeError, KeyError):
        yield from findings


def _is_section(kind: type | UnionType | None) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section) and not issubclass(kind, PerEnvironment)
