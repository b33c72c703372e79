"""The manifest of an export, `<name>.manifest.json`: request, load, columns, masks, id of their key, checksum."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

from orchestration.config.files import Settings
from orchestration.exports.output import Written
from orchestration.exports.query import Query
from orchestration.exports.relations import Scope
from orchestration.exports.request import Request


def sidecar(  # noqa: PLR0913 - each argument is one fact of the file
    settings: Settings,
    request: Request,
    *,
    export_id: UUID,
    scope: Scope,
    query: Query,
    masking_key_id: str | None,
    rows: int,
    written: Written,
) -> bytes:
    """Return the manifest of an export as UTF-8 JSON."""
    exports = settings.insights.exports
    facts = {
        "export": request.name,
        "export_id": export_id,
        "format": request.file_format,
        "columns": [
            {"name": c.name, "type": c.data_type, "masked": c.mask, "refers_to": c.refers_to} for c in query.columns
        ],
        "rows": rows,
        "bytes": written.bytes,
        "sha256": written.sha256,
        "filters": {
            "organization_id": scope.organization_id,
            "from": scope.since.isoformat(),
            "to": scope.until.isoformat(),
            "visibilities_as_rows": scope.visible,
            "min_group_size": exports.min_group_size,
        },
        "masking": exports.pii_masking_enabled,
        "masked_columns": query.masked_columns,
        "masking_key_id": masking_key_id,
        "requested_by": request.user,
        "read_at": scope.read_at,
        "data_up_to": scope.load.horizon.isoformat(),
        "loaded_at": scope.load.loaded_at.astimezone(UTC),
        "load": {
            "as_of": scope.load.as_of.isoformat(),
            "horizon": scope.load.horizon.isoformat(),
            "loaded_through": scope.load.loaded_through,
        },
        "environment": settings.environment,
        "config_version": settings.version,
    }
    return json.dumps(facts, indent=2, ensure_ascii=False, default=_text).encode() + b"\n"


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
