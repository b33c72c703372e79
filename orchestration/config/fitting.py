"""Builds a partial model from the valid values of an invalid document, so that rules can be checked too."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from orchestration.config.tokens import PerEnvironment, Section

Model = TypeVar("Model", bound=BaseModel)


def fitting(data: object, model: type[Model]) -> Model:
    """Return a model with the valid values and, for missing keys, the defaults.

    An invalid value, and a missing one without a default, is no attribute of the model (`rule.fits` checks that).
    """
    known = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        if not isinstance(data, dict) or key not in data:
            continue
        kind: Any = field.annotation
        value = data[key]
        if _is_section(kind):
            known[name] = fitting(value, kind)
        elif get_origin(kind) is dict and _is_section(get_args(kind)[1]):
            if isinstance(value, dict):
                known[name] = {each: fitting(item, get_args(kind)[1]) for each, item in value.items()}
        else:
            with suppress(ValidationError):
                known[name] = TypeAdapter(_annotated(kind, field.metadata)).validate_python(value, strict=True)
    part = model.model_construct(**known)
    for name, field in model.model_fields.items():
        if name not in known and (not isinstance(data, dict) or (field.alias or name) in data):
            vars(part).pop(name, None)  # pydantic has replaced an invalid value by the default
    return part


def _annotated(kind: Any, rules: list[Any]) -> Any:
    for rule in rules:
        kind = Annotated[kind, rule]
    return kind


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section) and not issubclass(kind, PerEnvironment)
