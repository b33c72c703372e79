"""Reads the operational tables and columns that Insights may read from models/staging/_staging__sources.yml."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from orchestration.config.files import PROJECT
from orchestration.config.yaml_reader import LOADER

SOURCES_FILE = Path("models/staging/_staging__sources.yml")


@dataclass(frozen=True)
class ContractColumn:
    """An operational column: its type in PostgreSQL, and what docs/meta-keys.md says of it.

    `nullable` says whether it may be missing, `deployed_only` whether only deployed databases have it.
    """

    data_type: str
    nullable: bool = False
    deployed_only: bool = False


@dataclass(frozen=True)
class ContractTable:
    """An operational table: its name, its columns by name, and where it changes on every working day.

    Then `changed_at` is the column with the time of a change.
    """

    name: str
    columns: dict[str, ContractColumn]
    changed_at: str | None = None


@cache
def contract_tables() -> tuple[ContractTable, ...]:
    """Return the tables of the source `orgo` (source contract, section 1)."""
    document = yaml.load((PROJECT / SOURCES_FILE).read_text(encoding="utf-8"), LOADER)  # noqa: S506 - a safe one
    (orgo,) = (source for source in document["sources"] if source["name"] == "orgo")
    return tuple(
        ContractTable(
            table["name"],
            {column["name"]: _column(column) for column in table["columns"]},
            table.get("config", {}).get("loaded_at_field"),
        )
        for table in orgo["tables"]
    )


def mart_names() -> list[str]:
    """Return the sorted names of the relations that dbt builds in the schema of the marts: marts and seeds."""
    files = [*(PROJECT / "models" / "marts").rglob("*.sql"), *(PROJECT / "seeds").glob("*.csv")]
    return sorted(file.stem for file in files if file.parent.name != "personal")


def _column(column: dict[str, Any]) -> ContractColumn:
    meta = column.get("config", {}).get("meta", {})
    return ContractColumn(column["data_type"], bool(meta.get("nullable")), bool(meta.get("deployed_only")))
