"""Compares a document with a typed model, and turns what pydantic says into problems with a line and a remedy."""

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
    """The model, None when the document does not fit it, and why not."""

    model: Model | None
    problems: list[Problem]


def validate(document: Document, model: type[Model]) -> Validated[Model]:
    """Compare a document's values with a model; every misfit becomes a problem at the line of its key.

    Unknown keys are reported and left out, so that what else is wrong is found in the same go. What the reader found
    about a key already is not said twice.
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
            return None  # prod's value, which is reported where it is written
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
    misspelt = [key for key in present if key not in known] if isinstance(present, dict) else []
    if any(closest(key, known) == path[-1] for key in misspelt):
        return None  # the misspelt key is reported, with this one as its remedy
    field = _fields(model, path[:-1]).get(str(path[-1]))
    remedy = f"; add it: {field.description}" if field and field.description else ""
    return Problem("error", f"this key is missing{remedy}", place.file, place.line, None, dotted(path))


def _written(key: str, place: Place, value: object) -> str:
    """A value as the file has it, masked; one that came from the environment as it is there, unless it is a secret."""
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
    """Return what would be right where pydantic found something wrong."""
    context = error.get("ctx", {})
    if error["type"] == "literal_error":
        tokens = [token.strip("'") for token in str(context["expected"]).replace(" or ", ", ").split(", ")]
        return f"must be one of {', '.join(tokens)}.{nearest(error['input'], tokens)}".rstrip(".")
    if error["type"] in _WANTED:
        return _WANTED[error["type"]].format_map(context)
    return error["msg"]


def _keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that a model knows at a path; none where any key may stand."""
    return list(_fields(model, path))


def _fields(model: type[BaseModel], path: KeyPath) -> dict[str, FieldInfo]:
    """The same with what the model knows of each."""
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
    """`X` of `X | None`."""
    return next(one for one in get_args(kind) if one is not NoneType) if isinstance(kind, UnionType) else kind


def _at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data
