"""What dbt knows of the project: its manifest, and the `meta` that Python reads from models and source tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.errors import InsightsError


@dataclass(frozen=True)
class Relation:
    """A model, snapshot, seed or source table: its name in dbt, where it is in the warehouse, and its `config.meta`."""

    name: str
    schema: str
    identifier: str
    meta: dict[str, Any]


def read_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest that `dbt parse` writes for these settings; no database is asked.

    Raises InsightsError with dbt's messages when the project cannot be parsed.
    """
    lines: list[str] = []
    run = dbt.run(settings, ["parse", "--quiet"], on_line=lines.append)
    if run.exit_code:
        raise InsightsError(f"dbt cannot parse the project:\n{''.join(lines)}")
    manifest: dict[str, Any] = json.loads((run.target / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def relations(manifest: dict[str, Any]) -> dict[str, Relation]:
    """Everything of the manifest that is a relation in a database, by its name."""
    kinds = ("model", "snapshot", "seed")
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in kinds]
    found = [Relation(n["name"], n["schema"], n["alias"], n["config"]["meta"]) for n in nodes]
    found += [
        Relation(s["name"], s["schema"], s["identifier"], s["config"]["meta"]) for s in manifest["sources"].values()
    ]
    return {relation.name: relation for relation in found}
