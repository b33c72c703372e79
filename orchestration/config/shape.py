"""Validates a document against a typed model, and turns pydantic's errors into problems with a line and a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from orchestration.config.masking import as_written, is_secret_key, shown
from orchestration.config.problems import KeyPath, Problem, closest, dotted, nearest
from orchestration.config.tokens import ENVIRONMENTS
from orchestration.config.yaml_reader import Document, Place

Model = TypeVar("Model", bound=BaseModel)

_SURPRISES = {"bool": "a boolean", "timestamp": "a date", "int": "a number", "float": "a number"}
_WANTED = {
    "string_type": "must be a text",
    "int_type": "must be a whole number, without quotes",
    "float_type": "must be a number, without quotes",
    "bool_type": "must be true or false, without quotes",
    "list_type": "must be a list, such as [a, b]",
    "dict_type": "must be a mapping, lines such as key: value below it",
    "model_type": "must be a mapping, lines such as key: value below it",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must match {pattern}",
    "extra_forbidden": "this key is unknown",
    "missing": "this key is missing",
    "union_tag_invalid": "{discriminator} is '{tag}', and must be one of {expected_tags}",
}


@dataclass(frozen=True)
class Validated(Generic[Model]):
    """The model, None if the document is invalid, and the problems."""

    model: Model | None
    problems: list[Problem]


def validate(document: Document, model: type[Model]) -> Validated[Model]:
    """Validate a document against a model; each error becomes a problem at the line of its key.

    Unknown keys are reported and removed, so that the other problems are found in the same run. A key with an error of
    the YAML reader is not reported again.
    """
    try:
        return Validated(model.model_validate(document.data), [])
    except ValidationError as error:
        details = error.errors(include_url=False)
    reported = {problem.key for problem in document.problems if problem.level == "error"}
    found = dict.fromkeys(_problem(document, model, detail) for detail in details)
    unknown = [detail["loc"] for detail in details if detail["type"] == "extra_forbidden"]
    for path in unknown:
        _at(document.data, path[:-1]).pop(path[-1], None)
    is_all = len(unknown) == len(details)
    return Validated(
        model.model_validate(document.data) if is_all else None,
        [one for one in found if one and one.key not in reported],
    )


def _problem(document: Document, model: type[BaseModel], error: ErrorDetails) -> Problem | None:
    path: KeyPath = tuple(error["loc"])
    if path[-1:] == ("offline",) and _keys(model, path[:-1]) == list(ENVIRONMENTS):
        written = _at(document.data, path[:-1])
        if isinstance(written, dict) and "offline" not in written:
            return None  # the value is prod's and is reported there
    if error["type"] == "missing":
        return _missing(document, model, path)
    while path not in document.places:
        path = path[:-1]
    place = document.places[path]
    key = dotted(path)
    if error["type"] == "extra_forbidden":
        known = _keys(model, path[:-1])
        says = f"this key is unknown.{nearest(path[-1], known)} Known here: {', '.join(known)}"
        return Problem("error", says, place.file, place.line, None, key)
    value = _written(key, place, _at(document.data, path))
    return Problem("error", _says(error, place, value), place.file, place.line, None, key, value)


def _missing(document: Document, model: type[BaseModel], path: KeyPath) -> Problem | None:
    place = document.places[path[:-1]]
    present = _at(document.data, path[:-1])
    known = _keys(model, path[:-1])
    misspelled = [key for key in present if key not in known] if isinstance(present, dict) else []
    if any(closest(key, known) == path[-1] for key in misspelled):
        return None  # the misspelled key is reported, with this one as its remedy
    field = _fields(model, path[:-1]).get(str(path[-1]))
    remedy = f"; add it: {field.description}" if field and field.description else ""
    return Problem("error", f"this key is missing{remedy}", place.file, place.line, None, dotted(path))


def _written(key: str, place: Place, value: object) -> str:
    """Return a value as written in its file, masked; a value from the environment is shown expanded unless secret."""
    if any(is_secret_key(name) for name in place.variables):
        return shown("secret", value)
    if place.plain and not place.variables:
        return as_written(key, place.plain)
    return shown(key, value)


def _says(error: ErrorDetails, place: Place, value: str) -> str:
    if error["type"] == "string_type" and place.kind in _SURPRISES and place.plain:
        return f'must be a text, and YAML takes it for {_SURPRISES[place.kind]}; put it in quotes: "{value}"'
    return wanted(error)


def wanted(error: ErrorDetails) -> str:
    """Return what would be right for an error of pydantic."""
    context = error.get("ctx", {})
    if error["type"] == "literal_error":
        tokens = [token.strip("'") for token in str(context["expected"]).replace(" or ", ", ").split(", ")]
        return f"must be one of {', '.join(tokens)}.{nearest(error['input'], tokens)}".rstrip(".")
    if error["type"] in _WANTED:
        return _WANTED[error["type"]].format_map(context)
    return error["msg"]


def _keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys of a model at a path; none if any key is allowed there."""
    return list(_fields(model, path))


def _fields(model: type[BaseModel], path: KeyPath) -> dict[str, FieldInfo]:
    """Return the fields of a model at a path, by key."""
    kind: Any = model
    for part in path:
        kind = _without_none(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = _by_key(kind).get(str(part))
            kind = field.annotation if field else None
        else:
            kind = next(iter(get_args(kind)[1:]), None)
    kind = _without_none(kind)
    return _by_key(kind) if isinstance(kind, type) and issubclass(kind, BaseModel) else {}


def _by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _without_none(kind: Any) -> Any:
    """Return `X` for `X | None`, other types unchanged."""
    return next(one for one in get_args(kind) if one is not NoneType) if isinstance(kind, UnionType) else kind


def _at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data
