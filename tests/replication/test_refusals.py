"""What `insights replicate` refuses, and what it leaves then."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from click.testing import CliRunner
from dlt.destinations.exceptions import DatabaseTerminalException
from dlt.destinations.job_client_impl import SqlLoadJob
from dlt.load.exceptions import LoadClientJobFailed
from support.config_project import CONFIG
from support.replication.copies import NAMES, Copied
from support.warehouse import Warehouse, disposable_copy

from orchestration.cli import commands
from orchestration.config.files import PROJECT, Settings, load_settings
from orchestration.errors import (
    BadInputError,
    BusyError,
    ConflictError,
    FailedError,
    MisconfiguredError,
    RefusedError,
)
from orchestration.replication.engine import place_of
from orchestration.replication.failures import as_insights_error
from orchestration.replication.replicate import Wanted, replicate
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
        ("mysql", "must be duckdb:///FOLDER/FILE.duckdb or snowflake"),
        ("bigquery", "must be duckdb:///FOLDER/FILE.duckdb or snowflake"),
        ("snowflake://user:secret@account/db", "other users of this machine can read arguments"),
        ("postgresql://user:secret@host/db", "--to is a URL of postgresql; it must be"),
        ("sqlalchemy+snowflake://user:secret@account/db", "--to is a URL of sqlalchemy.snowflake; it must be"),
        ("duckdb:///tmp/orgo.duckdb?motherduck_token=secret", "its absolute path, and nothing else"),
        ("duckdb://user:secret@host/orgo.duckdb", "its absolute path, and nothing else"),
        ("duckdb://[secret/orgo.duckdb", "--to is not a URL"),
        ("duckdb:///tmp/%00secret", "its absolute path"),
        ("duckdb:///usr", "/usr is a folder"),
        ("duckdb://orgo.duckdb", "its absolute path"),
        ("duckdb:///", "its absolute path"),
        ("duckdb:///tmp/public.duckdb", r"may not be named like its schema public"),
        ("duckdb:///tmp/PUBLIC_insights_replicate.x.duckdb", r"may not be named like its schema public"),
        ("duckdb:///nowhere/orgo.duckdb", "there is no folder /nowhere"),
    ],
)
def test_a_wrong_place_is_refused_without_its_credentials(given: str, says: str) -> None:
    with pytest.raises(BadInputError, match=says) as caught:
        target_of(load_settings(), given, None)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("schema", ["Orgo-Copy", "orgo__copy", "orgo_", "1st", "a b", "x_insights_replicate"])
def test_a_schema_is_what_dlt_makes_of_its_name_and_none_for_staging(schema: str) -> None:
    with pytest.raises(
        BadInputError, match=r"would have another name in the copy|may not end with _insights_replicate"
    ):
        target_of(load_settings(), "snowflake", schema)
    assert target_of(load_settings(), "snowflake", "orgo_copy2").schema == "orgo_copy2"


def test_one_place_has_one_name_whoever_logs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target("snowflake", "orgo")
    for address in ("anna:secret@Account/Orgo?role=a", "ben:secret@account/orgo?warehouse=w"):
        monkeypatch.setenv("DESTINATION__SNOWFLAKE__CREDENTIALS", f"snowflake://{address}")
        assert place_of(target) == "snowflake://account/orgo, schema orgo"
    monkeypatch.setenv("DESTINATION__SNOWFLAKE__CREDENTIALS", "snowflake://anna:secret@other/orgo")
    assert place_of(target) == "snowflake://other/orgo, schema orgo"


def test_values_of_rows_are_in_no_message() -> None:
    target = Target("snowflake", "orgo")
    full = LoadClientJobFailed("1", "tasks.0123456789.sql", "", duckdb.IOException("the disk is full"))
    assert "(IOException, table tasks: the disk is full)" in str(as_insights_error(full, target))
    rows = pa.table({"count": ["12 Elm Street"]})
    for kind, text in (
        (duckdb.ConversionException, "Could not convert string '12 Elm Street' to INT32"),
        (duckdb.ConstraintException, 'Duplicate key "email: 12 Elm Street"'),
    ):
        job = LoadClientJobFailed("1", "tasks.0123456789.0.parquet", text, DatabaseTerminalException(kind(text)))
        said = str(as_insights_error(job, target))
        assert f"The copy to snowflake failed ({kind.__name__}, table tasks)" in said
        assert "Elm" not in said
    with pytest.raises(pa.ArrowInvalid) as refused:
        rows["count"].cast(pa.int32())
    said = str(as_insights_error(refused.value, target))
    assert "has a value that cannot be converted (ArrowInvalid)" in said
    assert "Elm" not in said
    assert "16 MB" not in said
    too_long = pa.ArrowInvalid("straddling object straddles two block boundaries (try to increase block size?)")
    assert "may have at most 16 MB of text" in str(as_insights_error(too_long, target))


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
        connection.execute("create schema apart_staging; create table apart_staging.mine (id integer)")
        connection.execute("create schema other_insights_replicate")
        connection.execute("create table other_insights_replicate.mine (id integer)")
    with pytest.raises(ConflictError, match=r"schema other_insights_replicate, which exists .* and was not made by"):
        empty.replicate(schema="other")
    with pytest.raises(ConflictError, match=r"has a table tasks that insights replicate has not made.*--schema"):
        empty.replicate()
    assert empty.rows("select count(*) from public.tasks") == [(0,)]
    assert [event for event, _ in empty.source.rows(AUDIT)] == ["refused", "refused"]
    empty.replicate(schema="apart")
    for schema in ("apart_staging", "other_insights_replicate"):
        assert empty.rows(f"select count(*) from {schema}.mine") == [(0,)]  # noqa: S608 - a name of this test
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
    name = f"insights replicate {empty.url}, schema public"
    with empty.source.locked() as db:
        db.connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [name])
        with pytest.raises(BusyError, match="Another session holds the lock for insights replicate to duckdb://"):
            empty.replicate()


@pytest.mark.services
def test_what_an_engine_lacks_is_named(empty: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = empty.settings()
    with pytest.raises(MisconfiguredError, match=r"dlt lacks .* to connect to snowflake .*SNOWFLAKE__CREDENTIALS"):
        replicate(settings, Wanted("snowflake", work_dir=empty.file.with_name("work")))
    address = "snowflake://somebody:secret@account/database?warehouse=w"
    monkeypatch.setenv("DESTINATION__SNOWFLAKE__CREDENTIALS", address)
    with pytest.raises(MisconfiguredError, match=r"pip install 'dlt\[snowflake\]'") as caught:
        replicate(settings, Wanted("snowflake", work_dir=empty.file.with_name("work")))
    assert "secret" not in str(caught.value)


@pytest.mark.services
def test_an_engine_that_fails_is_named_without_values_of_rows(empty: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(job: SqlLoadJob) -> None:
        raise DatabaseTerminalException(duckdb.ConversionException("Could not convert string '12 Elm Street' to INT32"))

    with monkeypatch.context() as patch:
        patch.setattr(SqlLoadJob, "run", fail)
        with pytest.raises(FailedError, match=r"The copy to .* failed \(ConversionException, table \w+\)") as caught:
            empty.replicate()
    assert "Elm" not in str(caught.value)
    events = empty.source.rows(AUDIT)
    assert [event for event, _ in events] == ["started", "failed"]
    assert events[1][1] == str(caught.value)
    assert empty.rows("select schema_name from duckdb_schemas() where schema_name like '%insights_replicate%'") == []
    empty.replicate()
    tasks = empty.source.value("select count(*) from tasks")
    assert empty.rows("select count(*) from public.tasks") == [(tasks,)]


@pytest.mark.services
def test_a_file_that_another_process_has_open_is_named(empty: Copied) -> None:
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(empty.file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(BusyError, match=rf"The file {empty.file} is in use by process {process.pid} "):
            empty.replicate()
        process.communicate()


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
