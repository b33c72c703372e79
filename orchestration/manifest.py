"""What dbt knows of the project: its manifest, and the `meta` that Python reads from models and source tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration import dbt
from orchestration.config.files import PROJECT, Settings
from orchestration.errors import InsightsError

# What a manifest is made of.
FOLDERS = ("models", "macros", "snapshots", "seeds", "tests", "profiles")


@dataclass(frozen=True)
class Relation:
    """A model, snapshot, seed or source table: its name in dbt, where it is in the warehouse, and its `config.meta`."""

    name: str
    schema: str
    identifier: str
    meta: dict[str, Any]


def read_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest of the project for these settings: the one that dbt wrote last if it is up to date, else a new one.

    No database is asked. Raises InsightsError with dbt's messages when the project cannot be parsed.
    """
    found = _current(dbt.target_path() / "manifest.json", settings)
    if found is not None:
        return found
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


def _current(file: Path, settings: Settings) -> dict[str, Any] | None:
    """The manifest in a file, unless the project has changed since, or it was written for another schema."""
    try:
        written = file.stat().st_mtime
        manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # none yet, or just being written
        return None
    sources = [file for folder in FOLDERS for file in (PROJECT / folder).rglob("*") if file.suffix in (".yml", ".sql")]
    is_older = any(source.stat().st_mtime >= written for source in [PROJECT / "dbt_project.yml", *sources])
    schemas = {node["schema"] for node in manifest["nodes"].values()}
    return None if is_older or settings.insights.warehouse.schema_name not in schemas else manifest
