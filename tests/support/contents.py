"""What relations of a warehouse hold, to be compared with another moment or warehouse, and what was written."""

# ruff: noqa: S608 -- relations and keys are named by the tests

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from support.warehouse import Warehouse

# The relations that are loaded incrementally, and their keys. All others are rebuilt whole.
INCREMENTAL = {
    "insights.dim_tasks": "task_id",
    "insights.dim_cases": "case_id",
    "insights.dim_persons": "person_id",
    "insights.dim_learning_groups": "learning_group_id",
    "insights.fact_tasks": "task_id",
    "insights.fact_cases": "case_id",
    "insights.fact_wellbeing_checkins": "checkin_id",
    "insights_ops.rejects": "source_id",
}
REBUILT = {
    "insights.dim_dates": "date_key",
    "insights.dim_organizations": "organization_id",
    "insights.dim_roles": "role_id",
    "insights.dim_labels": "label_id",
    "insights.bridge_entity_labels": "(entity_type, entity_id, label_id)",
}
REPORTS = (
    "insights.report_monthly_trends",
    "insights.report_profile_scores",
    "insights.report_sla_breaches",
    "insights.report_task_volume",
)
LISTED_CASES = """
    select unnest(case_ids) from insights.pattern_weekly
    union select unnest(case_ids) from insights.pattern_monthly
    union select unnest(case_ids) from insights.pattern_yearly
"""
REVIEWS = ("insights.pattern_weekly", "insights.pattern_monthly", "insights.pattern_yearly")
SNAPSHOTS = (
    "insights_snapshots.organizations_history",
    "insights_snapshots.roles_history",
    "insights_snapshots.labels_history",
)


@dataclass(frozen=True)
class Difference:
    """Keys of the rows in which two warehouses differ."""

    only_first: set[UUID]
    only_second: set[UUID]
    unequal: set[UUID]


def contents(
    warehouse: Warehouse, relation: str, key: str, *, without: tuple[str, ...] = ("loaded_at",)
) -> dict[UUID, str]:
    """Every row of a relation as text, by its key, without the columns `without`."""
    query = f"select {key}, (to_jsonb(stored) - %s::text[])::text from {relation} as stored"
    return dict(warehouse.rows(query, list(without)))


def difference(
    first: Warehouse, second: Warehouse, relation: str, key: str, *, without: tuple[str, ...] = ()
) -> Difference:
    """Compare a relation of two warehouses, but for loaded_at, the count of earlier reviews, and `without`."""
    without = ("loaded_at", "review_count", *without)
    here, there = (contents(warehouse, relation, key, without=without) for warehouse in (first, second))
    unequal = {k for k in here.keys() & there.keys() if here[k] != there[k]}
    return Difference(here.keys() - there.keys(), there.keys() - here.keys(), unequal)


def written_since(warehouse: Warehouse, relation: str, moment: object) -> set[UUID]:
    """Keys of the rows that were written since a moment, by their loaded_at."""
    query = f"select {INCREMENTAL[relation]} from {relation} where loaded_at >= %s"
    return {key for (key,) in warehouse.rows(query, moment)}


def row_changes(warehouse: Warehouse) -> dict[str, int]:
    """Rows written and deleted so far in each incremental relation and snapshot, by the database's own statistics.

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
        [*INCREMENTAL, *SNAPSHOTS],
    )
    assert len(rows) == len(INCREMENTAL) + len(SNAPSHOTS)
    return dict(rows)
