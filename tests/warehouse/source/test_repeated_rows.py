"""Tables of the source whose rows nothing keeps apart: views, copies without keys, foreign tables."""

# ruff: noqa: S608 -- tables and columns are those of the contract

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.contents import contents, incremental
from support.source.fewer_rows import fewer_rows
from support.warehouse import NO_TESTS, Warehouse, disposable_copy

from orchestration.cli import commands
from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.init import initialize

pytestmark = pytest.mark.services

IDENTITIES = {t.name: "id" if "id" in t.columns else "organization_id" for t in contract_tables()}
del IDENTITIES["learning_group_memberships"]  # a person may be twice in a group


def repeat_rows(warehouse: Warehouse) -> None:
    """Turn each table into a view in which three rows are there twice, and one row more has no identity."""
    for table, identity in IDENTITIES.items():
        warehouse.execute(f"alter table {table} rename to stored_{table}")
        columns = warehouse.rows(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped",
            f"stored_{table}",
        )
        moment = next((m for m in ("updated_at", "created_at") if (m,) in columns), None)

        def some(
            changed: dict[str, str],
            rows: int,
            table: str = table,
            identity: str = identity,
            columns: list[tuple[str]] = columns,
        ) -> str:
            listed = ", ".join(changed.get(name, name) for (name,) in columns)
            return f"(select {listed} from stored_{table} order by {identity} limit {rows})"

        older = some({moment: f"{moment} - interval '1 hour'"} if moment else {}, 3)
        nameless = some({identity: "cast(null as uuid)"}, 1)
        warehouse.execute(f"create view {table} as select * from stored_{table} union all {older} union all {nameless}")
    with connect(warehouse.admin_url) as connection:
        initialize(connection, warehouse.settings)


def test_repeated_rows_and_rows_without_identity_are_left_out_and_counted(
    prepared: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared.execute(fewer_rows(8))  # a later load compares views without statistics row by row: its time is quadratic
    with disposable_copy(prepared.name, "without_repetition", prepared.postgres, prepared.settings) as plain:
        compared = [f"+{relation.rpartition('.')[2]}" for relation in incremental()]
        assert plain.build("--select", *compared, *NO_TESTS).succeeded
        repeat_rows(prepared)
        result = prepared.build(*NO_TESTS)
        assert result.succeeded, result.output[-3000:]
        tests = prepared.build("--select", "test_type:data", command="test")
        assert tests.succeeded, tests.output[-3000:]
        for relation in incremental():
            assert contents(prepared, relation) == contents(plain, relation) != {}, relation
        counted = prepared.rows(
            "select table_name, column_name, repeated_rows from insights_ops.source_drift"
            " where drift = 'repeated' order by 1"
        )
        assert counted == sorted((table, identity, 4) for table, identity in IDENTITIES.items())
        assert_status_shows_them(prepared, monkeypatch)

        second = prepared.build("--select", "+dim_tasks", "--exclude", "config.materialized:view", *NO_TESTS)
        assert second.succeeded, second.output[-3000:]
        assert contents(prepared, "insights.dim_tasks") == contents(plain, "insights.dim_tasks")


LEFT_OUT = ("rows", "left", "out")


def assert_status_shows_them(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", warehouse.etl_url)
    shown = CliRunner().invoke(commands, ["status"]).output.splitlines()
    drift = json.loads(CliRunner().invoke(commands, ["status", "--format", "json"]).stdout)["drift"]
    expected = {f"{table}.{identity}" for table, identity in IDENTITIES.items()}
    assert {column for column, kind, _, rows in drift if (kind, rows) == ("repeated", 4)} == expected
    header = next(n for n, line in enumerate(shown) if line.split() == ["column", "drift", "type", *LEFT_OUT])
    lines = [line.split() for line in shown[header + 1 :]]
    assert {line[0] for line in lines if line[1:2] == ["repeated"] and line[-1] == "4"} == expected


def test_tables_with_keys_are_not_counted_and_read_as_they_are(built: Warehouse) -> None:
    assert built.value("select count(*) from insights_ops.source_drift where drift = 'repeated'") == 0
    bodies = built.rows(
        "select prosrc from pg_proc where pronamespace = 'insights_staging'::regnamespace and proname like 'read_%'"
    )
    assert len(bodies) == len(contract_tables())
    assert not any("distinct on" in body for (body,) in bodies)
