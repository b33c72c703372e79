"""What relations of a warehouse hold, to be compared with another moment or warehouse, and what was written."""

# ruff: noqa: S608 -- relations and keys are named by the tests

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date
from functools import cache
from uuid import UUID

from support.policy import lasting, manifest, nodes
from support.warehouse import Warehouse

from orchestration.manifest import marts, relations
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize

LISTED_CASES = """
    select unnest(case_ids) from insights.pattern_weekly
    union select unnest(case_ids) from insights.pattern_monthly
    union select unnest(case_ids) from insights.pattern_yearly
"""


@cache
def incremental() -> list[str]:
    """Return the relations of the star schema that keep rows, with the rejects."""
    return [*_marts("core", keeps_rows=True), *_marts("personal", keeps_rows=True), "insights_ops.rejects"]


@cache
def rebuilt() -> list[str]:
    """Return the relations of the star schema that every load rebuilds whole, and the calendar."""
    return [*_marts("core", keeps_rows=False), *_marts("personal", keeps_rows=False)]


@cache
def reports() -> list[str]:
    """Return the reports."""
    return _marts("reports")


@cache
def reviews() -> list[str]:
    """Return the tables of patterns."""
    return _marts("patterns")


@cache
def snapshots() -> list[str]:
    """Return the histories that dbt keeps."""
    return sorted(f"{node['schema']}.{node['name']}" for node in nodes("snapshot"))


def _marts(folder: str, *, keeps_rows: bool | None = None) -> list[str]:
    found = (relations(manifest())[name] for name in marts(manifest(), folder=folder))
    keeping = {model["name"] for model in lasting()}
    return [f"{one.schema}.{one.name}" for one in found if keeps_rows is None or (one.name in keeping) == keeps_rows]


@dataclass(frozen=True)
class Difference:
    """Keys of the rows in which two warehouses differ."""

    only_first: set[UUID]
    only_second: set[UUID]
    unequal: set[UUID]


def key_of(relation: str) -> tuple[str, ...]:
    """Return the columns that identify a row of a relation, as its model declares them."""
    schema, _, name = relation.partition(".")
    found = relations(manifest())[name]
    assert (found.schema, bool(found.key)) == (schema, True), relation
    return found.key


def id_of(relation: str) -> str:
    """Return the id in the key of a relation: the last column, because a reject is keyed by its table and id."""
    return key_of(relation)[-1]


def row_of(relation: str) -> str:
    """Return an expression for the whole key of a relation as text."""
    return f"({', '.join(key_of(relation))})::text"


def contents(
    warehouse: Warehouse, relation: str, key: str | None = None, *, without: tuple[str, ...] = ("loaded_at",)
) -> dict[UUID, str]:
    """Return every row of a relation as text, by `key` (its id by default), without the columns `without`."""
    query = f"select {key or id_of(relation)}, (to_jsonb(stored) - %s::text[])::text from {relation} as stored"
    return dict(warehouse.rows(query, list(without)))


def difference(first: Warehouse, second: Warehouse, relation: str, *, without: tuple[str, ...] = ()) -> Difference:
    """Compare a relation of two warehouses, but for loaded_at, the count of earlier reviews, and `without`."""
    without = ("loaded_at", "review_count", *without)
    here, there = (contents(warehouse, relation, without=without) for warehouse in (first, second))
    unequal = {k for k in here.keys() & there.keys() if here[k] != there[k]}
    return Difference(here.keys() - there.keys(), there.keys() - here.keys(), unequal)


def from_scratch(warehouse: Warehouse, as_of: date) -> Warehouse:
    """Return a copy of a database whose warehouse is made again from the source, as of a day."""
    fresh = Warehouse.copy_of(warehouse.name, f"{warehouse.name}_from_scratch", warehouse.postgres, warehouse.settings)
    fresh.execute("drop schema insights, insights_staging, insights_snapshots, insights_personal, insights_ops cascade")
    with connect(fresh.admin_url) as connection:
        initialize(connection, fresh.settings)
    result = fresh.build("--exclude-resource-type", "test", as_of=as_of)
    assert result.succeeded, result.output[-2000:]
    return fresh


def written_since(warehouse: Warehouse, relation: str, moment: object) -> set[UUID]:
    """Return the keys of the rows that were written since a moment, by their loaded_at."""
    query = f"select {id_of(relation)} from {relation} where loaded_at >= %s"
    return {key for (key,) in warehouse.rows(query, moment)}


def row_changes(warehouse: Warehouse) -> dict[str, int]:
    """Return the rows written and deleted so far in each incremental relation and snapshot, by PostgreSQL's statistics.

    A session hands in its counts when it ends, so this waits until all other sessions have.
    """
    deadline = time.monotonic() + 180
    others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    while warehouse.value(others):
        assert time.monotonic() < deadline, "another session stays connected"
        time.sleep(0.05)
    rows = warehouse.rows(
        "select schemaname || '.' || relname, n_tup_ins + n_tup_upd + n_tup_del from pg_stat_user_tables"
        " where schemaname || '.' || relname = any(%s)",
        [*incremental(), *snapshots()],
    )
    assert len(rows) == len(incremental()) + len(snapshots())
    return dict(rows)
