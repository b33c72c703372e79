"""Generates the JSON Schema of the configuration files for editors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from orchestration.config.dag_model import DagsFile
from orchestration.config.model import ConfigFile, PatternsFile
from orchestration.config.profile_model import ProfilesFile

SCHEMAS: dict[str, type[BaseModel]] = {
    "config": ConfigFile,
    "dags": DagsFile,
    "profiles": ProfilesFile,
    "patterns": PatternsFile,
}
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_REFERENCE = {"type": "string", "pattern": r"\$\{\w+\}"}  # ${NAME} may stand for any scalar
_SCALARS = ("integer", "number", "boolean", "string")
_ABOUT = ("title", "description", "default")


def editor_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a file, which accepts `${NAME}` in place of every scalar."""
    schema: dict[str, Any] = _with_references(model.model_json_schema())
    return {"$schema": DIALECT} | schema


def _with_references(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_references(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    is_any_text = schema.get("type") == "string" and not schema.keys() - {"type", *_ABOUT}
    if schema.get("type") in _SCALARS and not is_any_text:
        about = {key: schema[key] for key in _ABOUT if key in schema}
        strict = {key: value for key, value in schema.items() if key not in about}
        return about | {"anyOf": [strict, _REFERENCE]}
    return {key: _with_references(part) for key, part in schema.items()}
