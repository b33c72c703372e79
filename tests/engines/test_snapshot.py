"""`insights snapshot` writes the operational tables as they are, completely or not at all."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from support.engines.contents import file_rows, source_rows
from support.hostile.rows import hostile_rows, insertions, relaxed_schema
from support.saved_parse import save_for_insights
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings, load_settings
from orchestration.errors import (
    BusyError,
    ConflictError,
    MisconfiguredError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from orchestration.source_snapshot.description import Description, read_description, table_file
from orchestration.source_snapshot.folder import new_files
from orchestration.source_snapshot.take import Wanted, take_snapshot
from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import ContractTable, contract_tables
from orchestration.warehouse.duckdb.prepare import prepare
from orchestration.warehouse.init import initialize
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

TABLES = contract_tables()
INSIGHTS = str(Path(sys.executable).with_name("insights"))
# The owner of a table without an organization, written once more by hand.
OF_HOSPITAL = {
    "organizations": "t.slug = 'sample-hospital'",
    "task_comments": "t.task_id in (select id from tasks where organization_id = %s)",
    "task_assignments": "t.task_id in (select id from tasks where organization_id = %s)",
    "learning_group_memberships": "t.learning_group_id in (select id from learning_groups where organization_id = %s)",
    "roles": "t.organization_id = %s or t.organization_id is null",
    "label_definitions": "t.organization_id = %s or t.organization_id is null",
}


@dataclass(frozen=True)
class Source:
    """A database with the sample and a row of each kind of value, and the settings that lead to it."""

    warehouse: Warehouse
    settings: Settings


@dataclass(frozen=True)
class Taken:
    """A snapshot of a source in a folder, and a file of DuckDB that reads it."""

    source: Source
    folder: Path
    file: Path
    description: Description


@pytest.fixture(scope="module")
def source(postgres: LocalPostgres, settings: Settings, prepared_sample: str) -> Iterator[Source]:
    """Yield a source that no test changes."""
    with (
        disposable_copy(prepared_sample, "snapshot_source", postgres, settings) as warehouse,
        pytest.MonkeyPatch.context() as patch,
    ):
        warehouse.execute(relaxed_schema() + "alter table wellbeing_checkins add column case_id uuid;")
        warehouse.execute("".join(insertions(hostile_rows())))
        with connect(warehouse.admin_url) as connection:
            initialize(connection, settings)  # grants the new columns
        patch.setenv("INSIGHTS_WAREHOUSE_URL", warehouse.etl_url)
        yield Source(warehouse, load_settings())


@pytest.fixture(scope="module")
def taken(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """Return the whole source as a snapshot, which no test changes."""
    place = tmp_path_factory.mktemp("snapshot")
    folder, file = place / "snapshot", place / "warehouse.duckdb"
    description = take_snapshot(source.settings, folder, Wanted())
    prepare(file, folder, source.settings)
    return Taken(source, folder, file, description)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_row_and_value_of_the_source_is_in_the_file(taken: Taken, table: ContractTable) -> None:
    # A row without the id by which the staging layer knows it is not read.
    condition = "t.organization_id is not null" if table.name == "organization_profiles" else "true"
    expected = source_rows(taken.source.warehouse, table, condition)
    assert file_rows(taken.file, table) == expected
    assert taken.description.tables[table.name].rows == expected.total()


def test_a_changed_value_is_noticed(taken: Taken, tmp_path: Path) -> None:
    (table,) = (table for table in TABLES if table.name == "organizations")
    file, other = tmp_path / "changed.duckdb", tmp_path / "changed.parquet"
    shutil.copy(taken.file, file)
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table changed as select * from public.organizations")
        connection.execute("update changed set slug = 'sample-hospitals' where slug = 'sample-hospital'")
        connection.execute(f"copy changed to '{other}' (format parquet)")
        connection.execute(f"create or replace view public.organizations as select * from '{other}'")  # noqa: S608
    expected = source_rows(taken.source.warehouse, table)
    found = file_rows(file, table)
    assert ((found - expected).total(), (expected - found).total()) == (1, 1)


def test_the_views_have_the_types_of_the_contract(taken: Taken) -> None:
    with duckdb.connect(str(taken.file), read_only=True) as connection:
        query = "select column_name, data_type from information_schema.columns where table_schema = 'public'"
        found = {(name, data_type) for name, data_type in connection.execute(query).fetchall()}
    by_name = dict(found)
    assert by_name["reactivity_time"] == "INTERVAL"
    assert by_name["tags"] == "VARCHAR[]"
    assert by_name["location"] == "JSON"
    assert by_name["closed_at"] == "TIMESTAMP WITH TIME ZONE"
    assert by_name["score"] == "INTEGER"
    assert by_name["id"] == "UUID"


def test_only_columns_of_the_contract_leave_and_only_their_owner_may_read_them(taken: Taken) -> None:
    kept = {table_file(table.name) for table in TABLES} | {"snapshot.json"}
    assert {entry.name for entry in taken.folder.iterdir()} == kept
    assert taken.folder.stat().st_mode & 0o777 == 0o700
    assert {entry.stat().st_mode & 0o777 for entry in taken.folder.iterdir()} == {0o600}
    assert taken.file.stat().st_mode & 0o777 == 0o600
    with duckdb.connect() as connection:
        for table in TABLES:
            file = str(taken.folder / table_file(table.name))
            described = connection.execute("describe select * from read_parquet(?)", [file]).fetchall()
            assert [column[0] for column in described] == list(table.columns), table.name


def test_the_audit_of_exports_has_the_snapshot(taken: Taken) -> None:
    rows = taken.source.warehouse.rows(
        "select event, organization, format, output, is_masked, row_count, byte_count from insights_ops.export_audit"
        " where export_id = %s order by export_audit_id",
        taken.description.audit_id,
    )
    size = sum((taken.folder / table_file(table.name)).stat().st_size for table in TABLES)
    common = ("*", "parquet", str(taken.folder), False)
    assert rows == [("started", *common, None, None), ("finished", *common, taken.description.rows, size)]


def test_a_snapshot_of_one_organization_has_its_rows_and_those_of_all(source: Source, tmp_path: Path) -> None:
    hospital = source.warehouse.value("select id::text from organizations where slug = 'sample-hospital'")
    folder, file = tmp_path / "one", tmp_path / "one.duckdb"
    description = take_snapshot(source.settings, folder, Wanted("sample-hospital"))
    prepare(file, folder, source.settings)
    assert (description.organization, description.organization_id) == ("sample-hospital", hospital)
    for table in TABLES:
        condition = OF_HOSPITAL.get(table.name, "t.organization_id = %s").replace("%s", f"'{hospital}'")
        expected = source_rows(source.warehouse, table, condition)
        assert expected, table.name
        assert file_rows(file, table) == expected, table.name
    with pytest.raises(NotFoundError, match="has no organization 'nowhere'"):
        take_snapshot(source.settings, tmp_path / "none", Wanted("nowhere"))
    assert list((tmp_path / "none").iterdir()) == []


def test_a_folder_with_something_in_it_is_kept(source: Source, taken: Taken, tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="add --replace"):
        take_snapshot(source.settings, taken.folder, Wanted())
    (tmp_path / "letter.txt").write_text("mine", "utf-8")
    for replace in (False, True):
        with pytest.raises(ConflictError, match=r"letter\.txt, which is no part of a snapshot"):
            take_snapshot(source.settings, tmp_path, Wanted(replace=replace))
    with pytest.raises(MisconfiguredError, match="the folder above it must exist"):
        take_snapshot(source.settings, tmp_path / "a/b", Wanted())
    assert read_description(taken.folder) == taken.description


def test_two_at_once_do_not_mix(source: Source, tmp_path: Path) -> None:
    names = [table.name for table in TABLES]
    with new_files(tmp_path, names, replace=False), pytest.raises(BusyError, match="Another process writes"):
        take_snapshot(source.settings, tmp_path, Wanted())


def test_a_snapshot_is_unrecorded_only_where_the_audit_cannot_be_written(
    source: Source, tmp_path: Path, postgres: LocalPostgres, settings: Settings
) -> None:
    audited = "select event, reason from insights_ops.export_audit where output = %s order by export_audit_id"
    with pytest.raises(RefusedError, match="can record the snapshot: leave out --unrecorded"):
        take_snapshot(source.settings, tmp_path / "refused", Wanted(unrecorded=True))
    (entry,) = source.warehouse.rows(audited, str(tmp_path / "refused"))
    assert entry[0] == "refused"
    source.warehouse.execute("revoke insert on insights_ops.export_audit from orgo_insights_etl")
    try:
        with pytest.raises(RefusedError, match="insights snapshot --unrecorded"):
            take_snapshot(source.settings, tmp_path / "taken", Wanted())
        done = take_snapshot(source.settings, tmp_path / "taken", Wanted(unrecorded=True))
    finally:
        source.warehouse.execute("grant insert on insights_ops.export_audit to orgo_insights_etl")
    assert done.audit_id is None
    assert source.warehouse.rows(audited, str(tmp_path / "taken")) == []


def test_a_snapshot_whose_end_cannot_be_recorded_is_whole(source: Source, tmp_path: Path) -> None:
    def step(done: int, total: int, doing: str = "") -> None:
        if doing == TABLES[-1].name:
            source.warehouse.execute("revoke insert on insights_ops.export_audit from orgo_insights_etl")

    try:
        with pytest.raises(RefusedError, match="is whole and can be used; the audit has its start, but not its end"):
            take_snapshot(source.settings, tmp_path / "snapshot", Wanted(), step)
    finally:
        source.warehouse.execute("grant insert on insights_ops.export_audit to orgo_insights_etl")
    assert read_description(tmp_path / "snapshot").rows > 0


def test_a_killed_snapshot_leaves_the_old_one_and_the_next_removes_its_files(
    source: Source, taken: Taken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, before = tmp_path / "snapshot", taken.description
    subprocess.run(["cp", "-r", str(taken.folder), str(folder)], check=True)
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", source.warehouse.etl_url)
    save_for_insights(source.settings, source.warehouse.etl_url)
    with connect(source.warehouse.admin_url) as connection:
        connection.execute("lock table task_assignments in access exclusive mode")
        process = subprocess.Popen([INSIGHTS, "snapshot", str(folder), "--replace"])
        wait_for(folder / ".partial" / table_file("task_assignments"))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert read_description(folder) == before
    after = take_snapshot(source.settings, folder, Wanted(replace=True))
    assert {entry.name for entry in folder.iterdir()} == {"snapshot.json", *(table_file(t.name) for t in TABLES)}
    assert read_description(folder) == after
    states = source.warehouse.rows(
        "select count(*) filter (where event = 'started'), count(*) filter (where event = 'finished')"
        " from insights_ops.export_audit where output = %s",
        str(folder),
    )
    assert states == [(2, 1)]


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 120
    while not file.exists():
        assert time.monotonic() < deadline, file
        time.sleep(0.05)


def test_a_file_that_cannot_be_written_leaves_nothing(source: Source, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(done: int, total: int, doing: str = "") -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))  # tasks take a megabyte

    try:
        with pytest.raises(UnavailableError, match=r"cannot be written to .*: File too large\. Nothing"):
            take_snapshot(source.settings, tmp_path / "snapshot", Wanted(), limit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "snapshot").iterdir()) == []
    query = "select event from insights_ops.export_audit order by export_audit_id desc limit 1"
    assert source.warehouse.value(query) == "failed"


def test_a_changed_or_foreign_snapshot_is_refused(taken: Taken, tmp_path: Path) -> None:
    copy, file = tmp_path / "copy", tmp_path / "warehouse.duckdb"
    with pytest.raises(NotFoundError, match="holds no whole snapshot"):
        prepare(file, copy, taken.source.settings)
    subprocess.run(["cp", "-r", str(taken.folder), str(copy)], check=True)
    document = json.loads((copy / "snapshot.json").read_text("utf-8"))
    for spoiled, says in (
        ({**document, "format": 0}, "is of another release"),
        ({**document, "color": "red"}, "is damaged"),
        ({**document, "tables": {"tasks": document["tables"]["tasks"]}}, "lacks operational tables"),
    ):
        (copy / "snapshot.json").write_text(json.dumps(spoiled), "utf-8")
        with pytest.raises(MisconfiguredError, match=says):
            prepare(file, copy, taken.source.settings)
    (copy / "snapshot.json").write_text(json.dumps(document), "utf-8")
    (copy / "tasks.parquet").write_bytes(b"PAR1")
    with pytest.raises(MisconfiguredError, match=r"tasks\.parquet is not the file"):
        prepare(file, copy, taken.source.settings)
