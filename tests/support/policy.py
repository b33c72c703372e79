"""What the policy tests look at: the project as dbt parses it, and the database as PostgreSQL describes it."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

from dbt.utils import JSONEncoder
from support import in_process
from support.warehouse import Warehouse

from orchestration.config.files import load_settings

PACKAGE = "orgo_insights"
SCHEMAS = ["insights", "insights_staging", "insights_snapshots", "insights_personal", "insights_ops"]

Node = dict[str, Any]

# The folders of macros/warehouse.
ENGINES = ["bigquery", "duckdb", "postgres", "snowflake"]


@cache
def manifest() -> dict[str, Any]:
    """Return the manifest of `dbt parse`, which needs no database, as its file has it."""
    settings = load_settings()
    parsed = in_process.parsed(settings.environment, settings.insights.warehouse.schema_name)
    text = json.dumps(parsed.writable_manifest().to_dict(omit_none=False), cls=JSONEncoder)
    return json.loads(text)  # type: ignore[no-any-return]


def with_own_exposures() -> dict[str, Any]:
    """Return the manifest with exposures that a test may change; the rest is shared, since a copy takes long."""
    return manifest() | {"exposures": copy.deepcopy(manifest()["exposures"])}


def nodes(*kinds: str) -> list[Node]:
    """Return the project's nodes of these resource types (model, snapshot, seed, test)."""
    return [n for n in manifest()["nodes"].values() if n["resource_type"] in kinds and n["package_name"] == PACKAGE]


def models(folder: str = "models/") -> list[Node]:
    """Return the models below a folder."""
    return [n for n in nodes("model") if n["original_file_path"].startswith(folder)]


def lasting(folder: str = "models/") -> list[Node]:
    """Return the incremental models below a folder that keep rows.

    A report that computes the days or months that changed keeps none: it follows the facts, and can always be computed
    again, as a calendar can.
    """
    incremental = [m for m in models(folder) if m["config"]["materialized"] == "incremental"]
    return [m for m in incremental if m["name"] != "dim_dates" and "{{ join_changed_" not in m["raw_code"]]


def sources() -> list[Node]:
    """Return the tables of the sources."""
    return list(manifest()["sources"].values())


def macros() -> list[Node]:
    """Return the project's own macros, generic tests included."""
    return [m for m in manifest()["macros"].values() if m["package_name"] == PACKAGE]


def catalog(warehouse: Warehouse) -> dict[str, dict[str, str]]:
    """Return {schema.relation: {column: type}} of the warehouse's schemas, types as PostgreSQL writes them."""
    rows = warehouse.rows(
        """
        select n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
        from pg_attribute as a
        inner join pg_class as c on a.attrelid = c.oid
        inner join pg_namespace as n on c.relnamespace = n.oid
        where n.nspname = any(%s) and c.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0 and not a.attisdropped
        """,
        SCHEMAS,
    )
    found: dict[str, dict[str, str]] = {}
    for relation, column, data_type in rows:
        found.setdefault(relation, {})[column] = data_type
    return found
