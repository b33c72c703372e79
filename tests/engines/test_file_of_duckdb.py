"""A warehouse in a file of DuckDB: made, built and built again by the commands, without a server."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from support import saved_parse
from support.command import Fails
from support.engines.laptop import Laptop
from support.warehouse import NO_TESTS, Warehouse, disposable_copy

from orchestration import dbt
from orchestration.config.files import PROJECT, Settings, load_settings
from orchestration.errors import RefusedError
from orchestration.source_snapshot.take import Wanted, take_snapshot
from orchestration.warehouse.connection import connect
from orchestration.warehouse.duckdb.guard import check_snapshot_rows
from orchestration.warehouse.source.guard import Confirmed
from workshop.services import LocalPostgres

pytest_plugins = ["support.command"]
pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def laptop(
    postgres: LocalPostgres, settings: Settings, prepared_sample: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Laptop]:
    """Yield a place with a snapshot of the sample, whose database is gone."""
    laptop = Laptop(tmp_path_factory.mktemp("laptop"))
    with (
        disposable_copy(prepared_sample, "laptop_source", postgres, settings) as source,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("INSIGHTS_WAREHOUSE_URL", source.etl_url)
        take_snapshot(load_settings(), laptop.snapshot, Wanted())
    yield laptop


@pytest.fixture(scope="module")
def built(laptop: Laptop) -> Laptop:
    """Return the place with its file, prepared and built by the commands, each in a process of its own."""
    prepared = laptop.start("init")
    assert prepared.returncode == 0, prepared.stderr
    assert prepared.stdout.startswith(f"{laptop.file} reads {laptop.snapshot}: 140,283 rows of all organizations, ")
    settings = laptop.settings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_TARGET_PATH", laptop.variables["DBT_TARGET_PATH"])
        environment = dbt.process_environment(settings, None)
    saved_parse.save(environment, *dbt.complete(settings, [], {}))
    done = laptop.start("build")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    return laptop


def test_a_file_is_built_and_tested_without_a_server(built: Laptop) -> None:
    assert built.value("select count(*) from insights.fact_tasks") != 0
    assert built.value("select count(*) from insights.pattern_yearly") != 0
    assert built.value("select count(distinct relation_name) from insights_ops.load_log") != 0
    assert built.file.stat().st_mode & 0o777 == 0o600
    assert not (built.place / "target" / "run_results.json").exists()  # that is PostgreSQL's place
    assert (built.place / "target/duckdb/run_results.json").exists()


def test_the_next_build_keeps_what_the_first_has_made(built: Laptop) -> None:
    counts = [f"select count(*) from insights.{mart}" for mart in ("fact_tasks", "pattern_weekly", "pattern_yearly")]  # noqa: S608
    before = [built.value(query) for query in counts]
    done = built.run("build", *NO_TESTS)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert [built.value(query) for query in counts] == before
    assert 0 not in before


def test_a_file_that_is_open_elsewhere_is_left_alone(built: Laptop) -> None:
    with duckdb.connect(str(built.file)):
        done = built.start("build", "--select", "dim_dates")
    assert done.returncode == 1
    assert f"The warehouse {built.file} is in use by process {os.getpid()} (python" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_snapshot_that_was_moved_is_found_again(built: Laptop, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(built.snapshot, moved)
    done = built.run("init", INSIGHTS_SNAPSHOT_DIR=str(moved))
    assert done.returncode == 0, done.stderr
    view = "select sql from duckdb_views() where schema_name = 'public' and view_name = 'tasks'"
    assert str(moved) in str(built.value(view))


def test_a_snapshot_that_lost_rows_stops_the_load(built: Laptop, tmp_path: Path) -> None:
    smaller = tmp_path / "smaller"
    shutil.copytree(built.snapshot, smaller)
    description = json.loads((smaller / "snapshot.json").read_text("utf-8"))
    before = description["tables"]["tasks"]["rows"]
    settings = built.settings(INSIGHTS_SNAPSHOT_DIR=str(smaller))
    assert settings.snapshot_directory == smaller
    assert settings.duckdb_path == built.file

    def says(rows: int) -> None:
        description["tables"]["tasks"]["rows"] = rows
        (smaller / "snapshot.json").write_text(json.dumps(description), "utf-8")

    counted = "select row_count from insights_ops.source_counts where table_name = 'tasks'"
    says(100)
    with pytest.raises(RefusedError, match=rf"tasks \(before: {before}, now: 100\)\. No relation was changed"):
        check_snapshot_rows(settings, Confirmed())
    assert built.value(counted) == before
    check_snapshot_rows(settings, Confirmed(vanished=True))
    assert built.value(counted) == 100
    says(before)
    check_snapshot_rows(settings, Confirmed())
    assert built.value(counted) == before


def test_questions_of_the_documents_have_postgresqls_answers(
    built: Laptop, built_sample: str, postgres: LocalPostgres
) -> None:
    of_analysts, of_the_page = (
        re.findall(r"```sql\n(.*?)```", (PROJECT / page).read_text("utf-8"), re.S)
        for page in ("docs/analyst.md", "docs/engines/duckdb.md")
    )
    assert (len(of_analysts), len(of_the_page)) == (12, 3)
    with (
        duckdb.connect(str(built.file), read_only=True) as file,
        connect(postgres.url(built_sample, "postgres")) as server,
    ):
        for question in (*of_analysts, *of_the_page):
            found = [tuple(map(_plain, row)) for row in file.execute(question).fetchall()]
            assert found, question
            assert found == [tuple(map(_plain, row)) for row in server.execute(question).fetchall()], question


def _plain(value: object) -> object:
    """Return a number as PostgreSQL and DuckDB both have it; their types of sums and quotients differ."""
    return round(float(value), 9) if isinstance(value, (int, float, Decimal)) else value


CALLS = (
    "opaque_id('a')",
    "opaque_id('Ünï ''quoted''')",
    "opaque_id('')",
    "latest_as_of()",
    "purge_cutoff('raw_event')",
    "purge_cutoff('aggregated')",
    "retention_cutoff('raw_event', date '2026-01-01', 730)",  # the purge went further
    "retention_cutoff('raw_event', date '2026-12-01', 730)",
    "retention_cutoff('aggregated', date '2026-01-01', 90)",
)
PURGED = """
    insert into insights_ops.purge_log (relation_name, retention_class, as_of, cutoff, environment)
    values ('fact_tasks', 'raw_event', date '2026-01-01', date '2024-05-06', 'dev')
"""


def test_the_functions_of_the_bookkeeping_are_those_of_postgresql(laptop: Laptop, prepared: Warehouse) -> None:
    """Only for this comparison, both have the same key of opaque ids."""
    assert laptop.run("init", INSIGHTS_DUCKDB_PATH=str(laptop.place / "functions.duckdb")).returncode == 0
    secret = prepared.value("select secret from insights_ops.secret_keys")
    prepared.execute(PURGED)
    with duckdb.connect(str(laptop.place / "functions.duckdb")) as connection:
        connection.execute("update insights_ops.secret_keys set secret = ?", [bytes(secret)])
        connection.execute(PURGED)
        for call in (*CALLS, "raw_event_relations()"):
            listed = "array_to_string(insights_ops.{}, ',')" if call == "raw_event_relations()" else "insights_ops.{}"
            query = f"select cast({listed.format(call)} as text)"
            before = prepared.value(query)
            # A day may end between them.
            assert connection.execute(query).fetchone() in [(before,), (prepared.value(query),)], call


def test_the_bookkeeping_has_the_columns_of_postgresql(laptop: Laptop, prepared: Warehouse) -> None:
    columns = (
        "select table_name, column_name from information_schema.columns where table_schema = 'insights_ops'"
        " and table_name in (select table_name from information_schema.tables where table_type = 'BASE TABLE')"
    )
    assert laptop.run("init", INSIGHTS_DUCKDB_PATH=str(laptop.place / "columns.duckdb")).returncode == 0
    with duckdb.connect(str(laptop.place / "columns.duckdb"), read_only=True) as connection:
        of_the_file = set(connection.execute(columns).fetchall())
    tables = {table for table, _ in of_the_file} - {"snapshots"}
    assert len(tables) > 6
    of_the_server = {(table, column) for table, column in prepared.rows(columns) if table in tables}
    assert {(table, column) for table, column in of_the_file if table in tables} == of_the_server


@pytest.mark.parametrize("option", [["--move-aside"], ["--admin-url", "postgresql://localhost/orgo"], ["--plan"]])
def test_options_of_a_server_are_refused_for_a_file(laptop: Laptop, option: list[str]) -> None:
    done = laptop.run("init", *option)
    assert done.returncode == 2
    assert "A file of DuckDB has no owner, no foreign relations and no plan: leave out" in done.stderr


NEED_POSTGRESQL = (
    *("status", "organizations", "roles", "patterns list", "reconcile", "doctor", "purge", "warm", "metrics show"),
    *("reviews list", "exports audit", "reader list", "run daily_events_load", "backup check", "backup configure"),
    "users --org sample-hospital",
    "dashboard overview --org sample-hospital --as manager",
    "export tasks --org sample-hospital --from 2026-01-01 --to 2026-02-01 --user x --output y",
    "api",
)


@pytest.mark.parametrize("command", NEED_POSTGRESQL)
def test_what_needs_postgresql_says_so(
    laptop: Laptop, fails: Fails, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    for name, value in laptop.variables.items():
        monkeypatch.setenv(name, value)
    said = fails(*command.split())
    assert said.startswith("Error: This needs PostgreSQL, and insights.warehouse.type is duckdb"), said
    assert said.count("\n") == 1


def test_the_variables_for_a_plain_dbt_name_the_file(laptop: Laptop) -> None:
    done = laptop.run("env")
    assert f"export INSIGHTS_DUCKDB_PATH={laptop.file}\n" in done.stdout
    assert "PGHOST" not in done.stdout
