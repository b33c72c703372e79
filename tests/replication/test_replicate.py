"""`insights replicate` keeps a copy of the operational tables in another engine equal to the source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hostile.rows import hostile_rows, insertions, relaxed_schema
from support.replication.copies import TABLES, Copied
from support.warehouse import disposable_copy

from orchestration.config.files import Settings
from orchestration.replication.replicate import Report
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

FIRST: list[Report] = []


@pytest.fixture(scope="module")
def copied(
    postgres: LocalPostgres, settings: Settings, prepared_sample: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copied]:
    """Yield the sample with a row of each kind of value, copied once; no test changes it."""
    with disposable_copy(prepared_sample, "replicated", postgres, settings) as warehouse:
        warehouse.execute(relaxed_schema() + "alter table wellbeing_checkins add column case_id uuid;")
        warehouse.execute("".join(insertions(hostile_rows())))
        with connect(warehouse.admin_url) as connection:
            initialize(connection, settings)  # grants the new columns
        copied = Copied(warehouse, tmp_path_factory.mktemp("copy") / "orgo.duckdb", asks_dbt=True)
        FIRST.append(copied.replicate())
        yield copied


def test_every_value_of_the_source_is_in_the_copy_as_in_a_snapshot(copied: Copied, tmp_path: Path) -> None:
    copied.assert_equal_to_a_snapshot(tmp_path / "snapshot")


def test_the_copy_has_the_columns_of_the_contract_with_their_types(copied: Copied) -> None:
    types = {"boolean": "BOOLEAN", "integer": "INTEGER", "text[]": "JSON"}
    types["timestamp with time zone"] = "TIMESTAMP WITH TIME ZONE"
    query = "select table_name, column_name, data_type from information_schema.columns where table_schema = 'public'"
    found = {(table, name): data_type for table, name, data_type in copied.rows(query) if not table.startswith("_")}
    assert found == {
        (table.name, name): types.get(column.data_type, "VARCHAR")
        for table in TABLES
        for name, column in table.columns.items()
    }


def test_the_counts_of_a_first_run_are_those_of_the_source(copied: Copied) -> None:
    (report,) = FIRST
    for one in report.tables:
        # A row without the id by which the staging layer knows it is not read.
        condition = "organization_id is not null" if one.table == "organization_profiles" else "true"
        rows = copied.source.value(f"select count(*) from {one.table} where {condition}")  # noqa: S608
        assert (one.changed_since, one.rows_before) == (None, 0)
        assert (one.rows_read, one.rows_written, one.rows_after) == (rows, rows, rows), one.table


def test_only_its_owner_reads_the_copy_and_nothing_else_stays(copied: Copied) -> None:
    assert copied.file.stat().st_mode & 0o777 == 0o600
    assert {file.name for file in copied.file.parent.iterdir()} == {"orgo.duckdb", "work"}
    assert list((copied.file.parent / "work").iterdir()) == []
    assert copied.rows("select schema_name from duckdb_schemas() where schema_name like '%insights_replicate%'") == []


def test_the_audit_of_exports_has_the_copy(copied: Copied) -> None:
    rows = copied.source.rows(
        "select event, organization, export_name, format, output, is_masked, row_count, byte_count, length(sha256)"
        " from insights_ops.export_audit order by export_audit_id limit 2"
    )
    (report,) = FIRST
    common = ("*", "operational replication", "duckdb", f"{copied.url}, schema public", False)
    read = sum(one.rows_read for one in report.tables)
    assert rows == [("started", *common, None, None, None), ("finished", *common, read, report.loaded.bytes, 64)]
    assert report.loaded.bytes > 1_000_000
