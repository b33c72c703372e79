"""What `insights replicate` refuses, and what it leaves then."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from support.config_project import CONFIG
from support.replication.copies import NAMES, Copied
from support.warehouse import Warehouse, disposable_copy

from orchestration.cli import commands
from orchestration.config.files import PROJECT, Settings, load_settings
from orchestration.errors import BadInputError, BusyError, ConflictError, MisconfiguredError, RefusedError
from orchestration.replication.scratch import scratch_folder
from orchestration.replication.target import Target, target_of
from workshop.services import LocalPostgres

AUDIT = "select event, reason from insights_ops.export_audit order by export_audit_id"


@pytest.fixture
def empty(prepared: Warehouse, tmp_path: Path) -> Copied:
    """Return the sample, which the test may change, and the place of a copy that is not made yet."""
    return Copied(prepared, tmp_path / "orgo.duckdb")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("mysql", "must be duckdb:///FOLDER/FILE.duckdb, snowflake or bigquery"),
        ("snowflake://user:secret@account/db", "other users of this machine can read arguments"),
        ("duckdb://orgo.duckdb", "its absolute path"),
        ("duckdb:///", "its absolute path"),
        ("duckdb:///tmp/public.duckdb", r"may not be named like its schema public"),
        ("duckdb:///tmp/PUBLIC_staging.x.duckdb", r"may not be named like its schema public"),
        ("duckdb:///nowhere/orgo.duckdb", "there is no folder /nowhere"),
    ],
)
def test_a_place_that_does_not_do_is_named(given: str, says: str) -> None:
    with pytest.raises(BadInputError, match=says) as caught:
        target_of(load_settings(), given, None)
    assert "secret" not in str(caught.value)


def test_a_place_is_the_engine_of_the_configuration_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.setenv("INSIGHTS_DUCKDB_PATH", str(tmp_path / "warehouse.duckdb"))
    text = (PROJECT / CONFIG).read_text("utf-8")
    for engine, says in (("postgres", "reads Orgo's tables where they are"), ("duckdb", "is built from a snapshot")):
        (tmp_path / "config.yaml").write_text(text.replace("type: postgres", f"type: {engine}", 1), "utf-8")
        with pytest.raises(RefusedError, match=says):
            target_of(load_settings(), None, None)
    with pytest.raises(BadInputError, match="is the warehouse"):
        target_of(load_settings(), f"duckdb://{tmp_path}/../{tmp_path.name}/warehouse.duckdb", None)
    assert target_of(load_settings(), "snowflake", "orgo") == Target("snowflake", "orgo")


def test_a_work_folder_is_private_and_for_one_process(tmp_path: Path) -> None:
    place = tmp_path / "work"
    with scratch_folder(place, "here") as files:
        (files / "rows").write_text("personal", "utf-8")
        assert place.stat().st_mode & 0o777 == files.stat().st_mode & 0o777 == 0o700
        with pytest.raises(BusyError, match="Another insights replicate uses"), scratch_folder(place, "here"):
            pass
    assert list(place.iterdir()) == []
    place.chmod(0o755)
    with pytest.raises(MisconfiguredError, match=f"chmod 700 {place}"), scratch_folder(place, "here"):
        pass
    (tmp_path / "link").symlink_to(place)
    for wrong in (tmp_path / "link", tmp_path / "a/b"):
        with pytest.raises(MisconfiguredError, match="--work-dir"), scratch_folder(wrong, "here"):
            pass


@pytest.mark.services
def test_tables_of_another_program_are_kept(empty: Copied) -> None:
    with duckdb.connect(str(empty.file)) as connection:
        connection.execute("create schema if not exists public; create table public.tasks (id integer)")
    with pytest.raises(ConflictError, match=r"has a table tasks that insights replicate has not made.*--schema"):
        empty.replicate()
    assert empty.rows("select count(*) from public.tasks") == [(0,)]
    assert [event for event, _ in empty.source.rows(AUDIT)] == ["refused"]
    empty.replicate(schema="apart")
    tasks = empty.source.value("select count(*) from tasks")
    assert empty.rows("select count(*) from apart.tasks") == [(tasks,)]


@pytest.mark.services
def test_a_copy_of_another_database_is_only_compared_whole(
    empty: Copied, prepared_sample: str, postgres: LocalPostgres, settings: Settings
) -> None:
    empty.replicate()
    with disposable_copy(prepared_sample, "replicated_elsewhere", postgres, settings) as elsewhere:
        elsewhere.execute("delete from task_comments where id = (select min(id::text)::uuid from task_comments)")
        other = Copied(elsewhere, empty.file)
        with pytest.raises(ConflictError, match=r"is of another database.*--reconcile"):
            other.replicate()
        other.replicate(reconcile=True)
        comments = elsewhere.value("select count(*) from task_comments")
        assert other.rows("select count(*) from public.task_comments") == [(comments,)]
        other.replicate()


@pytest.mark.services
def test_a_role_that_may_not_read_everything_copies_nothing(empty: Copied) -> None:
    empty.source.execute("alter table cases enable row level security")
    with pytest.raises(RefusedError, match="row-level security"):
        empty.replicate()
    assert empty.rows("select table_name from information_schema.tables where table_name in ('tasks', 'cases')") == []
    events = empty.source.rows(AUDIT)
    assert [event for event, _ in events] == ["started", "failed"]
    assert "row-level security" in events[1][1]


@pytest.mark.services
def test_a_copy_is_unrecorded_only_where_the_audit_cannot_be_written(empty: Copied) -> None:
    with pytest.raises(RefusedError, match="can record the replication: leave out --unrecorded"):
        empty.replicate(unrecorded=True)
    empty.source.execute("revoke insert on insights_ops.export_audit from orgo_insights_etl")
    with pytest.raises(RefusedError, match="insights replicate --unrecorded"):
        empty.replicate()
    empty.replicate(unrecorded=True)
    assert [event for event, _ in empty.source.rows(AUDIT)] == ["refused"]
    assert empty.rows("select count(*) > 0 from public.tasks") == [(True,)]


@pytest.mark.services
def test_another_process_that_copies_to_the_same_place_is_named(empty: Copied) -> None:
    with duckdb.connect(str(empty.file)):
        pass
    name = f"insights replicate {empty.url}, schema public"
    with empty.source.locked() as db:
        db.connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [name])
        with pytest.raises(BusyError, match="Another session holds the lock for insights replicate to duckdb://"):
            empty.replicate()


@pytest.mark.services
def test_the_command_prints_each_table(empty: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", empty.source.etl_url)
    done = CliRunner().invoke(commands, ["replicate", "--to", empty.url, "--format", "json"], catch_exceptions=False)
    tables = json.loads(done.stdout)
    assert [table["table"] for table in tables] == NAMES
    rows = empty.source.value("select count(*) from cases")
    assert tables[NAMES.index("cases")] == {
        "table": "cases",
        "changed_since": None,
        "rows_read": rows,
        "rows_written": rows,
        "rows_before": 0,
        "rows_after": rows,
    }
    assert f"{empty.url}, schema public: " in done.stderr
