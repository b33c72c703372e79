"""A file of DuckDB that is loaded from one snapshot after another."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from support.engines.laptop import Laptop
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings, load_settings
from orchestration.errors import BusyError, ConflictError, MisconfiguredError
from orchestration.source_snapshot.description import table_file
from orchestration.source_snapshot.folder import unchanged
from orchestration.source_snapshot.take import Wanted, take_snapshot
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.duckdb.file import opened
from orchestration.warehouse.duckdb.prepare import prepare
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

# All that is merged from the changes of tasks: these are read whole as long as one of them was never loaded.
OF_TASKS = ("+fact_tasks", "+fact_task_statuses", "+dim_tasks", "+fact_cases", "+dim_cases")
FACTS = ("build", "--select", *OF_TASKS, "--exclude-resource-type", "test", "unit_test")


def take(source: Warehouse, folder: Path, wanted: Wanted) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_WAREHOUSE_URL", source.etl_url)
        take_snapshot(load_settings(), folder, wanted)


def described(folder: Path, **changes: object) -> None:
    """Change the description of a snapshot."""
    file = folder / "snapshot.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")


@pytest.fixture(scope="module")
def source(postgres: LocalPostgres, settings: Settings, prepared_sample: str) -> Iterator[Warehouse]:
    """Yield the sample, to which tests add changes."""
    with disposable_copy(prepared_sample, "snapshots_source", postgres, settings) as warehouse:
        yield warehouse


@pytest.fixture(scope="module")
def loaded(source: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    """Return a file that is loaded from a snapshot of five days ago, on the computer's clock of today."""
    laptop = Laptop(tmp_path_factory.mktemp("loaded"))
    del laptop.variables["INSIGHTS_AS_OF"]
    take(source, laptop.snapshot, Wanted())
    described(laptop.snapshot, moment=(datetime.now(UTC) - timedelta(days=5)).isoformat())
    done = laptop.run(*FACTS)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return laptop


def test_a_load_is_of_the_day_and_the_moment_of_its_snapshot(loaded: Laptop) -> None:
    moment = json.loads((loaded.snapshot / "snapshot.json").read_text("utf-8"))["moment"]
    for column in ("as_of", "horizon"):
        days = f"select min({column}) = date '{moment[:10]}' and max({column}) = date '{moment[:10]}'"
        assert loaded.value(f"{days} from insights_ops.load_log")
    assert loaded.value(f"select insights_ops.source_read_at() = timestamptz '{moment}'")
    assert loaded.value(f"select insights_ops.latest_as_of() = date '{moment[:10]}' + 1")
    later = loaded.run(*FACTS, "--as-of", (datetime.fromisoformat(moment) + timedelta(days=2)).date().isoformat())
    assert later.returncode != 0
    assert "is in the future" in later.stdout + later.stderr


def test_a_change_between_two_snapshots_is_loaded_from_the_second(source: Warehouse, loaded: Laptop) -> None:
    task = source.value("select id::text from tasks where status = 'PENDING' order by id limit 1")
    status = f"select current_status from insights.fact_tasks where task_id = '{task}'"  # noqa: S608
    assert loaded.value(status) == "PENDING"
    # After the first snapshot, and two days before that was loaded.
    source.execute(
        f"update tasks set status = 'CANCELLED', updated_at = now() - interval '2 days' where id = '{task}'"  # noqa: S608
    )
    take(source, loaded.snapshot, Wanted(replace=True))
    done = loaded.run(*FACTS)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert loaded.value(status) == "CANCELLED"
    # Only what has changed was read: from the first snapshot on, less `overlap_hours`.
    logged = "select max(loaded_from) > now() - interval '7 days' from insights_ops.load_log"
    assert loaded.value(f"{logged} where relation_name = 'fact_tasks'")


def test_an_older_snapshot_and_one_of_another_organization_are_refused(loaded: Laptop, tmp_path: Path) -> None:
    older, other = tmp_path / "older", tmp_path / "other"
    for folder in (older, other):
        shutil.copytree(loaded.snapshot, folder)
    described(older, moment=(datetime.now(UTC) - timedelta(days=9)).isoformat())
    described(other, organization="one", organization_id="00000000-0000-4000-8000-000000000001")
    before = loaded.value("select count(*) from insights_ops.snapshots")
    for folder, says in ((older, "is older"), (other, "of all organizations, and .* is one of one: a load would mix")):
        done = loaded.run(*FACTS, INSIGHTS_SNAPSHOT_DIR=str(folder))
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        with pytest.raises(ConflictError, match=says + ".*Delete the file, or name another one"):
            prepare(loaded.file, folder, loaded.settings(INSIGHTS_SNAPSHOT_DIR=str(folder)))
    assert loaded.value("select count(*) from insights_ops.snapshots") == before
    prepare(tmp_path / "new.duckdb", other, loaded.settings())  # nothing was loaded yet, so any may follow
    prepare(tmp_path / "new.duckdb", older, loaded.settings())


def test_a_file_of_another_release_is_refused(loaded: Laptop, tmp_path: Path) -> None:
    without_snapshots, without_column = tmp_path / "one.duckdb", tmp_path / "two.duckdb"
    shutil.copy(loaded.file, without_snapshots)
    shutil.copy(loaded.file, without_column)
    with duckdb.connect(str(without_snapshots)) as connection:
        connection.execute("delete from insights_ops.snapshots")
    with duckdb.connect(str(without_column)) as connection:
        connection.execute("alter table insights_ops.source_counts drop column newest_at")
    with pytest.raises(ConflictError, match=r"did not record its snapshots\. Delete the file"):
        prepare(without_snapshots, loaded.snapshot, loaded.settings())
    with pytest.raises(ConflictError, match=r"insights_ops\.source_counts has other columns\. Delete the file"):
        prepare(without_column, loaded.snapshot, loaded.settings())


@pytest.mark.parametrize("name", ["sn*p", "sn?p", "sn[a]p", "day=1", "it's"])
def test_the_path_of_a_folder_is_no_pattern(loaded: Laptop, tmp_path: Path, name: str) -> None:
    for folder in (tmp_path / name, tmp_path / "snap"):
        shutil.copytree(loaded.snapshot, folder)
    snapshot = prepare(tmp_path / "w.duckdb", tmp_path / name, loaded.settings())
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from public.tasks").fetchone() == (snapshot.tables["tasks"].rows,)


def test_a_snapshot_that_is_read_is_not_replaced(source: Warehouse, loaded: Laptop) -> None:
    names = sorted(entry.stat().st_ino for entry in loaded.snapshot.iterdir())
    with unchanged(loaded.snapshot), pytest.raises(BusyError, match="writes a snapshot to, or builds from,"):
        take(source, loaded.snapshot, Wanted(replace=True))
    assert sorted(entry.stat().st_ino for entry in loaded.snapshot.iterdir()) == names


def test_no_other_user_may_read_the_file_or_its_log(tmp_path: Path) -> None:
    file, log = tmp_path / "w.duckdb", tmp_path / "w.duckdb.wal"
    with opened(file):
        pass
    file.chmod(0o644)
    with opened(file) as connection:
        assert file.stat().st_mode & 0o777 == 0o600
        connection.execute("create table t as select range as r from range(10)")
        connection.commit()
        assert log.stat().st_mode & 0o777 == 0o600
        connection.begin()


def test_a_damaged_file_of_a_snapshot_is_found_by_its_digest(loaded: Laptop, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(loaded.snapshot, folder)
    tasks = folder / table_file("tasks")
    content = bytearray(tasks.read_bytes())
    content[1000:1100] = bytes(100)
    tasks.write_bytes(content)
    with pytest.raises(MisconfiguredError, match=r"tasks\.parquet was changed or is damaged: its SHA-256"):
        prepare(loaded.file, folder, loaded.settings())


def rewritten(folder: Path, table: str, select: str) -> None:
    """Write the file of a table again, as a snapshot of another release has it."""
    file, new = folder / table_file(table), folder / "new"
    with duckdb.connect() as connection:
        connection.execute(f"copy (select {select} from read_parquet('{file}')) to '{new}' (format parquet)")  # noqa: S608
    new.replace(file)
    content = file.read_bytes()
    tables = json.loads((folder / "snapshot.json").read_text("utf-8"))["tables"]
    tables[table] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    described(folder, tables=tables)


@pytest.mark.parametrize(
    ("select", "says"),
    [
        ("* exclude (priority)", r"has no column tasks\.priority, which this release reads\. Take"),
        ("* replace (1.5 as type)", r"has tasks\.type as DECIMAL\(2,1\), and this release reads VARCHAR\. Take"),
    ],
)
def test_columns_of_another_release_are_named(loaded: Laptop, tmp_path: Path, select: str, says: str) -> None:
    folder = tmp_path / "other"
    shutil.copytree(loaded.snapshot, folder)
    rewritten(folder, "tasks", select)
    with pytest.raises(MisconfiguredError, match=says):
        prepare(tmp_path / "w.duckdb", folder, loaded.settings())


def test_rows_that_the_description_does_not_count_are_refused(loaded: Laptop, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(loaded.snapshot, folder)
    tables = json.loads((folder / "snapshot.json").read_text("utf-8"))["tables"]
    tables["tasks"]["rows"] += 1
    described(folder, tables=tables)
    with pytest.raises(MisconfiguredError, match=r"The snapshot has 20,\d+ rows of tasks, and snapshot\.json says"):
        prepare(tmp_path / "w.duckdb", folder, loaded.settings())


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"moment": None}, "moment"),
        ({"moment": "2026-01-01"}, "moment"),
        ({"tables": {"tasks": {"rows": "x", "bytes": 1, "sha256": ""}}}, r"tables\.tasks\.rows"),
        ({"tables": []}, "tables"),
        ({"organization_id": 1}, "organization_id"),
    ],
)
def test_a_description_with_other_types_is_damaged(
    loaded: Laptop, tmp_path: Path, changes: dict[str, object], where: str
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(loaded.snapshot, folder)
    described(folder, **changes)
    with pytest.raises(MisconfiguredError, match=rf"snapshot\.json is damaged \({where}: "):
        prepare(tmp_path / "w.duckdb", folder, loaded.settings())


def test_an_old_snapshot_with_a_table_that_is_gone_is_replaced(
    source: Warehouse, loaded: Laptop, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    shutil.copytree(loaded.snapshot, folder)
    (folder / "letters.parquet").write_bytes(b"PAR1")
    tables = json.loads((folder / "snapshot.json").read_text("utf-8"))["tables"]
    described(folder, tables=tables | {"letters": {"rows": 1, "bytes": 4, "sha256": ""}})
    take(source, folder, Wanted(replace=True))
    assert {e.name for e in folder.iterdir()} == {"snapshot.json", *(table_file(t.name) for t in contract_tables())}
