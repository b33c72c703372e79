"""Checks answers against the OpenAPI document of the service."""

from __future__ import annotations

from typing import Any

import jsonschema
from support.api.server import Got


def check(document: dict[str, Any], path: str, got: Got) -> None:
    """Check that OpenAPI documents the status of an answer, and that the answer has its schema."""
    responses = document["paths"][path]["get"]["responses"]
    assert str(got.status) in responses, (path, got.status)
    media_type = got.headers["content-type"]
    content = responses[str(got.status)].get("content", {})
    if content:
        schema = content[media_type]["schema"] | {"components": document["components"]}
        jsonschema.validate(got.json, schema, cls=jsonschema.Draft202012Validator)
