"""The operation about exports: which there are, and what became of those that the caller has asked for."""

from __future__ import annotations

from functools import cache
from typing import Any

from orchestration.api import parameters, schemas
from orchestration.api.answers import Reply, document
from orchestration.api.operations import ORGANIZATION, Call, Operation
from orchestration.dashboards.parameter_types import IntegerParameter, Parameter
from orchestration.exports.audit import own_attempts
from orchestration.exports.definitions import Definition
from orchestration.exports.masking import HOW
from orchestration.exports.request import FORMATS


@cache
def export_parameters() -> dict[str, Parameter]:
    """Return the parameters of the list of exports."""
    limit = IntegerParameter(
        type="integer", default=20, min=1, max=200, description="Maximum number of attempts, the newest first."
    )
    return {"limit": limit}


def export_operation() -> Operation:
    """Return the operation about exports."""
    return Operation(
        "list_exports",
        f"{ORGANIZATION}/exports",
        "The exports that there are, and what became of those that the user of the token has asked for.",
        schemas.EXPORTS,
        _list,
        parameters.described_values(export_parameters()),
    )


def _list(call: Call) -> Reply:
    limit = parameters.read_values("The list of exports", export_parameters(), call.pairs)["limit"]
    is_masking = call.service.settings.insights.exports.pii_masking_enabled
    with call.service.reader.reading() as db:
        attempts = own_attempts(db, call.organization_id, call.caller.subject, limit)
    return document(
        {
            "exports": [_export(definition, is_masking) for definition in call.service.exports.values()],
            "formats": list(FORMATS),
            "attempts": [_attempt(row) for row in attempts],
        }
    )


def _export(definition: Definition, is_masking: bool) -> dict[str, Any]:
    return {
        "name": definition.name,
        "description": " ".join(definition.description.split()),
        "kind": definition.kind,
        "columns": definition.column_names,
        "masked_columns": [name for name, (_, c) in definition.columns.items() if is_masking and HOW[c.pii]],
    }


def _attempt(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "export_id": row["export_id"],
        "export": row["export_name"],
        "state": row["state"],
        "at": row["logged_at"],
        "format": row["format"],
        "output": row["output"],
        "from": row["from_date"],
        "to": row["to_date"],
        "is_masked": row["is_masked"],
        "rows": row["row_count"],
        "bytes": row["byte_count"],
        "sha256": row["sha256"],
    }
