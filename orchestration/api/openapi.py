"""The OpenAPI document of the service, made from its operations and the kinds of problems."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from orchestration.api import schemas
from orchestration.api.answers import JSON
from orchestration.api.operations import Operation
from orchestration.api.problems import BY_STATUS, MEDIA_TYPE, Kind

OPEN_PATHS: dict[str, tuple[str, str, dict[str, Any] | None, tuple[int, ...]]] = {
    "/healthz": ("healthz", "Whether the process runs.", schemas.STATUS, ()),
    "/readyz": ("readyz", "Whether the process can answer: the warehouse answers it.", schemas.STATUS, (503,)),
    "/metrics": ("metrics", "Metrics in Prometheus' text format.", None, ()),
    "/openapi.json": ("openapi", "This document.", {"type": "object"}, ()),
}
WITH_RETRY_AFTER = (429, 503)
ABOUT = "Read-only answers over the star schema of Orgo Insights. Every figure says what it is of and how fresh it is."
IN_PATH = {
    "organization_id": "Id of the organization: that of the token, or any for a superuser.",
    "pattern_id": "Id of the pattern, from the list of patterns.",
}
_PLACEHOLDER = re.compile(r"{(\w+)}")


def openapi(operations: Sequence[Operation], security: Mapping[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document; `security` are the schemes by which callers are authenticated."""
    paths: dict[str, Any] = {operation.path: {"get": _operation(operation)} for operation in operations}
    for path, (name, summary, schema, statuses) in OPEN_PATHS.items():
        found = {"200": _ok(schema)} | {str(status): _problem(BY_STATUS[status]) for status in statuses}
        paths[path] = {"get": {"operationId": name, "summary": summary, "security": [], "responses": found}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Orgo Insights reports-api", "version": version("orgo-insights"), "description": ABOUT},
        "paths": paths,
        "components": {
            "securitySchemes": dict(security),
            "schemas": {"Problem": schemas.PROBLEM, "Failure": schemas.FAILURE},
        },
        "security": [{name: []} for name in security],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    statuses = [401, 422, 429, 500, 503]
    if operation.is_of_an_organization or operation.is_enveloped:
        statuses += [403, 404]
    responses: dict[str, Any] = {"200": _ok(operation.schema)}
    if operation.query:
        responses["304"] = {"description": "The client has this answer already (If-None-Match)."}
    failed = _failure if operation.is_enveloped else _problem
    responses |= {str(status): failed(BY_STATUS[status]) for status in sorted(statuses)}
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*map(_in_path, _PLACEHOLDER.findall(operation.path)), *operation.query],
        "responses": responses,
    }


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "format": "uuid"}
    return {"name": name, "in": "path", "required": True, "description": IN_PATH[name], "schema": schema}


def _ok(schema: dict[str, Any] | None) -> dict[str, Any]:
    media_type, found = ("text/plain", schemas.TEXT) if schema is None else (JSON, schema)
    return {"description": "The answer.", "content": {media_type: {"schema": found}}}


def _problem(kind: Kind) -> dict[str, Any]:
    return _error(kind, MEDIA_TYPE, "Problem")


def _failure(kind: Kind) -> dict[str, Any]:
    return _error(kind, JSON, "Failure")


def _error(kind: Kind, media_type: str, schema: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": f"{kind.title}. {kind.detail}",
        "content": {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }
    if kind.status in WITH_RETRY_AFTER:
        found["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    return found
