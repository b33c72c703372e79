"""A table that each build makes again is written where its rows differ, and nowhere else."""

from __future__ import annotations

import pytest
from support.policy import models
from support.warehouse import NO_TESTS, Warehouse

pytestmark = pytest.mark.services

CHANGES = """
    update roles set display_name = 'Night porter', updated_at = '2025-12-31 20:00+00'
    where id = (select min(role_id::text)::uuid from insights.dim_roles);
    delete from entity_labels where id = (select min(id::text)::uuid from entity_labels);
"""
# The histories between the source and dimensions.
HISTORIES = ("roles_history", "labels_history", "organizations_history")


def _tables() -> list[str]:
    """Return the tables with a key that are no incremental models."""
    return [
        f"{model['schema']}.{model['alias']}"
        for model in models()
        if model["config"]["materialized"] == "table" and model["config"]["unique_key"]
    ]


def _versions(warehouse: Warehouse, table: str) -> dict[str, tuple[str, str]]:
    """Return each row's place and transaction, by the row."""
    rows = warehouse.rows(f"select r::text, ctid::text, xmin::text from {table} as r")  # noqa: S608 - a table of ours
    return {row: (place, transaction) for row, place, transaction in rows}


def test_a_build_writes_the_rows_that_differ(built: Warehouse) -> None:
    tables = _tables()
    assert {"insights.dim_labels", "insights.dim_roles", "insights.bridge_entity_labels"} <= set(tables)
    selected = ("--select", *(table.split(".")[1] for table in tables), *HISTORIES, *NO_TESTS)
    assert built.build(*selected).succeeded  # some findings of the first build are of the first build only
    first = {table: _versions(built, table) for table in tables}
    assert built.build(*selected).succeeded
    second = {table: _versions(built, table) for table in tables}
    assert second == first
    built.execute(CHANGES)
    assert built.build(*selected).succeeded
    third = {table: _versions(built, table) for table in tables}
    changed = {
        table: (first[table].keys() - third[table].keys(), third[table].keys() - first[table].keys())
        for table in tables
    }
    kept = {table: {row: version for row, version in first[table].items() if row in third[table]} for table in tables}
    assert all(kept[table][row] == third[table][row] for table in tables for row in kept[table])
    (old,), (new,) = changed["insights.dim_roles"]
    assert "Night porter" in new and "Night porter" not in old
    assert [len(rows) for rows in changed["insights.bridge_entity_labels"]] == [1, 0]


def test_a_calendar_gets_the_days_that_are_missing(built: Warehouse) -> None:
    """A stored day is not computed again, so an edited one stays until the calendar is computed as a whole (D299)."""
    table = "insights.dim_dates"
    built.execute(
        "delete from insights.dim_dates where date_key = '1999-12-31';"
        "update insights.dim_dates set day_name = 'Leap day' where date_key = '2024-02-29'"
    )
    before = _versions(built, table)
    assert built.build("--select", "dim_dates", *NO_TESTS).succeeded
    after = _versions(built, table)
    (added,) = after.keys() - before.keys()
    assert added == "(1999-12-31,1999,4,12,December,52,1999,1999-W52,1999-12-27,1999-12-01,5,Friday,f)"
    assert {row: after[row] for row in before} == before
    assert built.build("--select", "dim_dates", *NO_TESTS, "--full-refresh").succeeded
    edited = "select day_name from insights.dim_dates where date_key = '2024-02-29'"
    assert built.value(edited) == "Thursday"
    assert built.value("select count(*) from insights.dim_dates") == len(after)


def test_a_key_with_null_is_not_written_twice(built: Warehouse) -> None:
    table = "insights_ops.data_quality"
    built.execute(f"update {table} set row_count = row_count + 1")  # noqa: S608 - a table of ours
    wrong = _versions(built, table)
    assert built.build("--select", "data_quality", command="run").succeeded
    assert len(_versions(built, table)) == len(wrong)
    assert not wrong.keys() & _versions(built, table).keys()
