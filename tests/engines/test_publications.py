"""What `insights publish` does when it is repeated, interrupted, or given what it must not publish."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import duckdb
import psycopg
import pytest
from support.engines.laptop import INSIGHTS, Laptop
from support.engines.published import Served, contents, declared, take_and_build
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings
from orchestration.errors import (
    BusyError,
    ConflictError,
    FailedError,
    InsightsError,
    MisconfiguredError,
    NotBuiltError,
    NotPreparedError,
    RefusedError,
)
from orchestration.publishing.definitions import read_definitions
from orchestration.publishing.publish import PublishReport, publish
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

_numbers = count()


@pytest.fixture
def own(served: Served, postgres: LocalPostgres, tmp_path: Path) -> Iterator[Served]:
    """Yield copies of the file and of the database to which it was published, for one test."""
    shutil.copytree(served.laptop.place, tmp_path / "laptop")
    template, settings = served.database.name, served.database.settings
    with disposable_copy(template, f"serving_{next(_numbers)}", postgres, settings) as database:
        yield Served(Laptop(tmp_path / "laptop"), database)


def _state(database: Warehouse) -> list[object]:
    """Return what a publication changes: the versions of rows, the logs, and what is known as published."""
    return [
        database.rows("select xmin::text, count(*) from insights.fact_tasks group by 1"),
        database.rows("select xmin::text, count(*) from insights.dim_roles group by 1"),
        database.rows("select log::text from insights_ops.load_log as log order by load_log_id"),
        database.rows("select * from insights_ops.publications order by publication_id"),
        database.rows("select * from insights_ops.published_relations order by relation_name"),
    ]


def _copied(report: PublishReport) -> set[str]:
    return {one.name for one in report.relations if one.copied}


def _change(served: Served, *statements: str) -> None:
    """Change the file as a load does: its rows, and the log of loads of the roles."""
    log = (
        "insert into insights_ops.load_log by name select * exclude (load_log_id, invocation_id, logged_at),"
        " invocation_id || 'x' as invocation_id from insights_ops.load_log where relation_name = 'dim_roles'"
    )
    with duckdb.connect(str(served.laptop.file)) as file:
        for statement in (*statements, log):
            file.execute(statement)


def test_a_second_publication_of_a_load_changes_nothing(own: Served) -> None:
    before = _state(own.database)
    report = own.publish()
    assert (report.number, report.loads, _copied(report)) == (None, 0, set())
    assert _state(own.database) == before


def test_the_next_load_writes_what_changed(
    own: Served, warehouse: Warehouse, postgres: LocalPostgres, settings: Settings
) -> None:
    """Rows that changed, appeared and vanished, while a reader holds the tables and a view reads one."""
    next_day = SAMPLE_AS_OF + timedelta(days=1)
    with (
        disposable_copy(warehouse.name, "published_next", postgres, settings) as source,
        connect(own.database.reader_url) as reader,
    ):
        own.database.execute(
            "create view public.of_others as select status, count(*) from insights.fact_cases group by 1"
        )
        source.execute(
            "update tasks set status = 'COMPLETED', closed_at = now(), updated_at = now()"
            " where id in (select id from tasks where status = 'IN_PROGRESS' order by id limit 3);"
            " set local session_replication_role = replica;"
            " delete from roles where id = (select max(id::text)::uuid from roles)"
        )
        result = source.build("--exclude-resource-type", "test", "unit_test", as_of=next_day)
        assert result.succeeded, result.output[-2000:]
        take_and_build(own.laptop, source, INSIGHTS_AS_OF=str(next_day))
        before = reader.execute("select max(loaded_at), count(*) from insights.fact_tasks").fetchall()
        loads = own.database.value("select max(load_log_id) from insights_ops.load_log")
        assert "has rows of the operational database" in _refusal(own, own.database, ConflictError)  # a copy
        own.database.execute("update insights_ops.publications set source_id = null")
        checkins = contents(own.database, "insights.fact_wellbeing_checkins")
        report = own.publish()
        reader.commit()
        after = reader.execute("select max(loaded_at), count(*) from insights.fact_tasks").fetchall()
        assert after != before
        for name, relation in declared(own).items():
            assert contents(own.database, relation) == contents(source, relation), name
        log = "select relation_name, as_of, horizon, cutoff from insights_ops.load_log where relation_name = any(%s)"
        assert sorted(own.database.rows(log, list(declared(own)))) == sorted(source.rows(log, list(declared(own))))
    written = {one.name: one.written for one in report.relations}
    assert 0 < written["fact_tasks"] < 1000 < own.database.value("select count(*) from insights.fact_tasks")
    assert written["stg_user_accounts"] == 0
    now = contents(own.database, "insights.fact_wellbeing_checkins")
    assert written["fact_wellbeing_checkins"] == ((checkins - now) + (now - checkins)).total() < 10
    assert (
        own.database.value("select min(load_log_id) from insights_ops.load_log where as_of > %s", SAMPLE_AS_OF) > loads
    )
    assert own.database.value("select sum(count) from public.of_others") > 0


def test_an_interrupted_publication_leaves_the_former_one(own: Served) -> None:
    _change(own, "delete from insights.dim_roles where role_id = (select max(role_id) from insights.dim_roles)")
    before = _state(own.database)
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("INSIGHTS_WAREHOUSE", "PG"))}
    given = environment | own.laptop.variables | {"INSIGHTS_SERVING_URL": own.database.etl_url}
    given["DBT_TARGET_PATH"] = os.environ["DBT_TARGET_PATH"]  # with what this process has parsed
    waits = (
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
    )
    with connect(own.database.admin_url) as other:
        other.execute("lock table insights_ops.publications in exclusive mode")
        with subprocess.Popen(
            [INSIGHTS, "publish"], env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            own.database.wait_for(waits)
            process.send_signal(signal.SIGKILL)
    sessions = "select not exists (select from pg_stat_activity where datname = current_database() and usename ~ 'etl')"
    own.database.wait_for(sessions)
    assert _state(own.database) == before
    assert _copied(own.publish()) == {"dim_roles"}
    assert _state(own.database) != before


def test_two_do_not_publish_at_once(own: Served) -> None:
    with own.database.locked(), pytest.raises(BusyError, match="Another process is writing to this warehouse: process"):
        own.publish()
    with duckdb.connect(str(own.laptop.file)):
        done = own.laptop.run("publish", INSIGHTS_SERVING_URL=own.database.etl_url)
    assert f"The warehouse {own.laptop.file} is in use by process {os.getpid()} (python" in done.stderr


def test_rows_that_differ_from_the_file_are_not_published(own: Served) -> None:
    own.database.execute(
        "create function public.spoil() returns trigger language plpgsql as"
        " $$ begin new.display_name := 'another'; return new; end $$;"
        " create trigger spoil before insert on insights.dim_roles for each row execute function public.spoil()"
    )
    _change(own, "update insights.dim_roles set display_name = display_name || '!'")
    before = _state(own.database)
    with pytest.raises(
        FailedError, match=r"insights\.dim_roles would have 17 rows with the checksum \d+, and the file"
    ):
        own.publish()
    assert _state(own.database) == before


def test_a_form_that_differs_is_brought_to_that_of_the_release(own: Served) -> None:
    own.database.execute("alter table insights.dim_roles drop column display_name, add column surplus text")
    newest = "select max(load_log_id) from insights_ops.load_log where relation_name = 'dim_roles'"
    load = own.database.value(newest)
    assert _copied(own.publish()) == {"dim_roles"}
    assert own.database.value(newest) > load
    names = "select string_agg(display_name, ',' order by role_id) from insights.dim_roles"
    assert own.database.value(names) == own.laptop.value(names)
    assert own.database.value(
        "select has_column_privilege('orgo_insights_ro', 'insights.dim_roles', 'display_name', 'select')"
    )
    columns = (
        "select count(*) from pg_attribute where attrelid = 'insights.dim_roles'::regclass and attname = 'surplus'"
    )
    assert own.database.value(columns) == 0


def test_what_is_no_longer_published_is_emptied(own: Served) -> None:
    """Models that no exposure reads, that the project lacks, that have another schema now, and whose table is gone."""
    own.database.execute(
        "alter table insights.dim_roles set schema insights_staging;"
        " update insights_ops.published_relations set schema_name = 'insights_staging'"
        " where relation_name = 'dim_roles';"
        " insert into insights_ops.published_relations"
        " select name, 'insights', name, array['day integer'], 1, 1, 1"
        " from unnest(array['dim_dates', 'former_model', 'dropped']) as name"
    )
    for name in ("dim_dates", "former_model"):
        own.database.execute(
            f"create table insights.{name} as select 1 as day; alter table insights.{name} owner to orgo_insights_etl;"
            f" set local role orgo_insights_etl; grant select on insights.{name} to orgo_insights_ro, public"
        )
    roles = own.database.value("select count(*) from insights_staging.dim_roles")
    former = ["insights.dim_dates", "insights.former_model", "insights_staging.dim_roles"]
    assert own.publish().emptied == former
    for name in former:
        assert own.database.value(f"select count(*) from {name}") == 0  # noqa: S608
        assert not own.database.value("select has_any_column_privilege('orgo_insights_ro', %s, 'select')", name)
    assert own.database.value("select count(*) from insights.dim_roles") == roles > 0
    assert own.publish().number is None


def test_rows_that_another_deletes_are_published_again_as_a_newer_load(own: Served) -> None:
    newest = "select max(load_log_id) from insights_ops.load_log where relation_name = 'fact_tasks'"
    before, rows = own.database.value(newest), own.database.value("select count(*) from insights.fact_tasks")
    own.database.execute("delete from insights.fact_tasks where ctid = (select min(ctid) from insights.fact_tasks)")
    report = own.publish()
    assert {one.name: one.written for one in report.relations if one.written} == {"fact_tasks": 1}
    assert own.database.value("select count(*) from insights.fact_tasks") == rows
    assert own.database.value(newest) > before


def test_a_file_of_an_older_snapshot_of_the_same_day_is_refused(
    own: Served, warehouse: Warehouse, tmp_path: Path
) -> None:
    shutil.copytree(own.laptop.place, tmp_path / "newer")
    newer = Served(Laptop(tmp_path / "newer"), own.database)
    take_and_build(newer.laptop, warehouse)
    assert newer.publish().number == 2
    before = _state(own.database)
    assert "and the file an older one, of" in _refusal(own, own.database, ConflictError)
    assert _state(own.database) == before
    assert newer.publish().number is None


def _refusal(served: Served, database: Warehouse, kind: type[InsightsError]) -> str:
    with pytest.raises(kind) as caught:
        publish(served.settings_of(database))
    return str(caught.value)


def test_what_must_not_be_published_is_refused(
    own: Served, warehouse: Warehouse, postgres: LocalPostgres, settings: Settings
) -> None:
    with disposable_copy(warehouse.name, "no_serving", postgres, settings) as other:
        assert "is a warehouse that loads write" in _refusal(own, other, ConflictError)
    before = _state(own.database)
    organization = "'00000000-0000-0000-0000-00000000000a'"
    publications = "update insights_ops.publications set {}"
    own.database.execute(publications.format(f"organization_id = {organization}, organization = 'elsewhere'"))
    assert "has rows of elsewhere, and the file those of all organizations" in _refusal(
        own, own.database, ConflictError
    )
    own.database.execute(publications.format("organization_id = null, organization = null"))
    own.database.execute(publications.format("loaded_through = '2030-01-01'"))
    assert "has changes up to 2030-01-01" in _refusal(own, own.database, ConflictError)
    own.database.execute(
        publications.format("loaded_through = (select max(loaded_through) from insights_ops.load_log)")
    )
    own.database.execute(publications.format("environment = 'prod'"))
    assert "is of the environment prod, the file was built in" in _refusal(own, own.database, ConflictError)
    own.database.execute(publications.format("environment = (select min(environment) from insights_ops.load_log)"))
    assert _state(own.database) == before
    own.database.execute("alter table insights_ops.published_relations rename to former")
    assert "not prepared for this release" in _refusal(own, own.database, NotPreparedError)
    own.database.execute("alter table insights_ops.former rename to published_relations")
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute("alter table insights.dim_roles rename column display_name to former")
    assert "insights.dim_roles has no column display_name. Run: insights build" in _refusal(
        own, own.database, NotBuiltError
    )
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute("drop table insights.dim_roles")
    assert "has no insights.dim_roles. Run: insights build" in _refusal(own, own.database, NotBuiltError)
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute("delete from insights_ops.load_log")
    assert "was never loaded. Run: insights build" in _refusal(own, own.database, NotBuiltError)


def test_rows_behind_a_published_cutoff_do_not_come_back(own: Served) -> None:
    """A file that was built anew with a longer retention; a cutoff of a relation without raw events says nothing."""
    log = (
        "insert into insights_ops.load_log by name select * exclude (load_log_id, invocation_id, cutoff), {} from ({})"
    )
    newest = "select * from insights_ops.load_log where relation_name = '{}' order by load_log_id desc limit 1"
    earlier = log.format("invocation_id || 'y' as invocation_id, cutoff - 1 as cutoff", newest)
    before = _state(own.database)
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute(earlier.format("fact_tasks"))
    assert "Rows of fact_tasks before " in _refusal(own, own.database, ConflictError)
    assert _state(own.database) == before
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute("delete from insights_ops.load_log where invocation_id like '%y'")
        file.execute(earlier.format("dim_roles"))
    assert own.publish().loads == 1


def test_history_that_a_file_built_anew_lacks_is_kept_unless_confirmed(own: Served) -> None:
    months = "select count(distinct month) from insights.report_monthly_trends"
    first = "(select min(month) from insights.report_monthly_trends)"
    served = own.database.value(months)
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute(
            "update insights_ops.load_log set invocation_id = 'anew' where relation_name = 'report_monthly_trends'"
        )
    assert own.publish().loads == 1  # it has every month
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute(f"delete from insights.report_monthly_trends where month = {first}")  # noqa: S608
        file.execute(
            "update insights_ops.load_log set invocation_id = 'b' where relation_name = 'report_monthly_trends'"
        )
    before = _state(own.database)
    month = own.database.value(f"select {first}::text")
    refusal = _refusal(own, own.database, RefusedError)
    assert f"lacks 1 of the periods of report_monthly_trends that are served ({month} to {month})" in refusal
    assert _state(own.database) == before
    own.run("publish", "--yes")
    assert own.database.value(months) == served - 1


def test_a_relation_that_cannot_be_copied_is_named(own: Served) -> None:
    """As of a model with versions, whose unique id ends with the version."""
    with pytest.raises(
        MisconfiguredError, match="An exposure depends on v2, which is no model or seed of this project"
    ):
        read_definitions(own.settings, own.database.etl_url, ["dim_roles", "v2"])


def test_the_commands_prepare_publish_and_answer(served: Served, postgres: LocalPostgres) -> None:
    postgres.create_database("serving_by_commands")
    own = Served(served.laptop, Warehouse("serving_by_commands", postgres, served.database.settings))
    said = own.run("init", INSIGHTS_ADMIN_URL=own.database.admin_url)
    assert f"{own.laptop.file} reads" in said and "The database is prepared (" in said
    assert '"name": "fact_tasks"' in own.run("publish", "--format", "json")
    assert "sample-hospital" in own.run("organizations")
    dashboard = ["dashboard", "overview", "--org", "sample-hospital", "--as", "manager"]
    assert "COMPLETED" in own.run(*dashboard, "--visibility", "PUBLIC", "--visibility", "INTERNAL")
    assert '"pattern_id"' in own.run("patterns", "list", "--format", "json")
    for command in ("purge", "reconcile", "status", "reviews list", "doctor", "backup check"):
        done = own.laptop.run(*command.split(), INSIGHTS_SERVING_URL=own.database.etl_url)
        assert done.returncode == 1
        assert done.stderr.startswith("Error: This needs PostgreSQL, and insights.warehouse.type is duckdb: "), command
    with connect(own.database.reader_url) as reader, pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("select * from insights_personal.personal_cases")
