"""A warehouse in a file of DuckDB, beside one in PostgreSQL that has the same operational tables."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest
from support import in_process
from support.policy import nodes
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT, load_settings
from orchestration.source_snapshot.take import Wanted, take_snapshot
from orchestration.warehouse.duckdb.prepare import prepare

# Each engine writes these at its own time.
OF_A_LOAD = {
    "loaded_at",
    "requested_at",
    "dbt_scd_id",
    "dbt_updated_at",
    "dbt_valid_from",
    "dbt_valid_to",
    "invocation_id",
}
# What differs in the source is looked for where the snapshot is taken.
OF_THE_SOURCE = {"source_drift"}
# Requests for reviews of ANONYMISED patterns have ids with the key of a database.
KEYED = "case when visibility <> 'ANONYMISED' then {} end"
REQUESTS = {"case_id": KEYED.format("case_id"), "payload": f"cast({KEYED.format('payload')} as text)"}


@dataclass(frozen=True)
class DuckdbFile:
    """A file of DuckDB below a folder, with the snapshots that it was loaded from."""

    folder: Path

    @property
    def path(self) -> Path:
        """Return the file."""
        return self.folder / "warehouse.duckdb"

    def prepare(self, source: Warehouse, name: str) -> None:
        """Take a snapshot of the operational tables of a database, under a new name, and let the file read it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("INSIGHTS_WAREHOUSE_URL", source.etl_url)
            settings = load_settings()
            take_snapshot(settings, self.folder / name, Wanted())
            prepare(self.path, self.folder / name, settings)

    def dbt(self, *arguments: str, as_of: date) -> str:
        """Run dbt on the file, in this process, and return what it says; the run must succeed."""
        environment = os.environ | {
            "INSIGHTS_AS_OF": str(as_of),
            "INSIGHTS_DUCKDB_PATH": str(self.path),
            "INSIGHTS_ENV": "dev",
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_TARGET_PATH": str(self.folder / "target"),
        }
        places = ["--profiles-dir", str(PROJECT), "--project-dir", str(PROJECT), "--profile", "orgo_insights_duckdb"]
        is_done, said = in_process.invoke([*arguments, *places], environment)
        assert is_done, said[-6000:]
        return said

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(query).fetchall()


def relations() -> dict[str, list[str]]:
    """Return {schema.relation: the columns to compare} of what the project stores, in the order of its models."""
    found = {}
    for node in nodes("seed", "snapshot", "model"):
        if node["config"]["materialized"] in {"view", "ephemeral"} and node["name"] != "made_reviews":
            continue
        if node["name"] not in OF_THE_SOURCE and not node["schema"].endswith("_staging"):
            special = REQUESTS if node["name"] == "review_requests" else {}
            columns = [special.get(name, name) for name in node["columns"] if name not in OF_A_LOAD]
            found[f"{node['schema']}.{node['name']}"] = columns
    return found


def differences(postgres: Warehouse, file: DuckdbFile) -> dict[str, tuple[list[Any], list[Any]]]:
    """Return {relation: (rows that only PostgreSQL has, rows that only DuckDB has)}, where there are any."""
    found = {}
    for relation, columns in relations().items():
        query = f"select {', '.join(columns)} from {relation}"  # noqa: S608 - named by the project
        rows = postgres.rows(query), file.rows(query)
        if not are_equal(*rows):
            payload = columns.index(REQUESTS["payload"]) if REQUESTS["payload"] in columns else None
            here, there = (Counter(compared(row, payload) for row in some) for some in rows)
            if here != there:
                found[relation] = (
                    sorted((here - there).elements(), key=str)[:3],
                    sorted((there - here).elements(), key=str)[:3],
                )
    return found


def are_equal(here: list[tuple[Any, ...]], there: list[tuple[Any, ...]]) -> bool:
    """Return whether rows are equal as both drivers give them, which takes a tenth of the time of `compared`.

    False may mean that one driver gives a value in another form, or in one that has no hash.
    """
    try:
        return Counter(here) == Counter(there)
    except TypeError:
        return False


def compared(row: tuple[Any, ...], payload: int | None) -> tuple[Any, ...]:
    """Return a row in a form in which both drivers give it; `payload` is the place of its JSON text."""
    values = [plain(value) for value in row]
    if payload is not None and values[payload]:
        values[payload] = json.dumps(json.loads(values[payload]), sort_keys=True)
    return tuple(values)


def plain(value: Any) -> Any:
    """Return a value in a form in which both drivers give it; numbers are compared exactly."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
        case UUID() | date():
            return str(value)
        case list():
            return tuple(plain(one) for one in value)
        case dict():
            return json.dumps(value, sort_keys=True)
        case _:
            return value
