"""What `insights publish` does when it is repeated, interrupted, or when others have changed rows."""

from __future__ import annotations

import os
import signal
import socket
from datetime import timedelta

import duckdb
import pytest
from support.engines.publications import change_file, copied_of, publishing, publishing_variables, refusal_of, state_of
from support.engines.published import Served, contents, declared, take_and_build
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings
from orchestration.errors import (
    BusyError,
    ConflictError,
    FailedError,
)
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytest_plugins = ["support.engines.publications"]
pytestmark = pytest.mark.services


def test_a_second_publication_of_a_load_changes_nothing(own: Served) -> None:
    before = state_of(own.database)
    report = own.publish()
    assert (report.number, report.loads, copied_of(report)) == (None, 0, set())
    assert state_of(own.database) == before


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
        assert "has rows of the operational database" in refusal_of(own, own.database, ConflictError)  # a copy
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


NO_SESSION = "select not exists (select from pg_stat_activity where datname = current_database() and usename ~ 'etl')"
# Each row of this temporary table waits, as long as another session holds the lock.
SLOW_COPY = """
    create function public.wait() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock_shared(1); return new; end $$;
    create function public.slow_down() returns event_trigger language plpgsql as $$
    begin
        if exists (select from pg_event_trigger_ddl_commands() where object_identity = 'pg_temp.dim_roles') then
            create trigger wait before insert on pg_temp.dim_roles for each row execute function public.wait();
        end if;
    end $$;
    create event trigger slow_down on ddl_command_end when tag in ('CREATE TABLE') execute function public.slow_down()
"""
COPIES = (
    "select exists (select from pg_stat_progress_copy where datname = current_database() and command = 'COPY FROM')"
)
LEFT = "select oid::regclass::text from pg_class where relpersistence = 't' and relkind = 'r'"


def test_of_two_processes_one_publishes_and_a_killed_one_leaves_the_former_rows(own: Served) -> None:
    """The first is kept within COPY by a trigger that waits; a second comes; then the first is killed."""
    change_file(own, "delete from insights.dim_roles where role_id = (select max(role_id) from insights.dim_roles)")
    before, roles = state_of(own.database), contents(own.database, "insights.dim_roles")
    own.database.execute(SLOW_COPY)
    with connect(own.database.admin_url) as other:
        other.execute("select pg_advisory_lock(1)")
        with publishing(own) as process:
            own.database.wait_for(COPIES)
            refusal = refusal_of(own, own.database, BusyError)
            assert refusal.startswith("Another process is writing to this warehouse: process ")
            assert f" on {socket.gethostname()}, process {process.pid} there" in refusal
            assert process.is_alive()
            assert own.database.value(COPIES), "the second has stopped the first"
            assert state_of(own.database) == before
    own.database.wait_for(NO_SESSION)
    assert process.exitcode == -signal.SIGKILL
    assert state_of(own.database) == before
    assert contents(own.database, "insights.dim_roles") == roles
    assert own.database.rows(LEFT) == []
    own.database.execute("drop event trigger slow_down")
    report = own.publish()
    assert (report.number, copied_of(report)) == (2, {"dim_roles"})
    assert contents(own.database, "insights.dim_roles").total() == roles.total() - 1


def test_a_publication_that_is_killed_at_its_end_leaves_the_former_one(own: Served) -> None:
    change_file(own, "delete from insights.dim_roles where role_id = (select max(role_id) from insights.dim_roles)")
    before = state_of(own.database)
    waits = (
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
    )
    with connect(own.database.admin_url) as other:
        other.execute("lock table insights_ops.publications in exclusive mode")
        with publishing(own):
            own.database.wait_for(waits)
    own.database.wait_for(NO_SESSION)
    assert state_of(own.database) == before
    assert copied_of(own.publish()) == {"dim_roles"}
    assert state_of(own.database) != before


def test_a_file_that_is_open_is_not_published(own: Served) -> None:
    with duckdb.connect(str(own.laptop.file)):
        done = own.laptop.start("publish", **publishing_variables(own))
    assert f"The warehouse {own.laptop.file} is in use by process {os.getpid()} (python" in done.stderr


def test_a_table_whose_readers_keep_it_from_row_level_security_is_not_published(own: Served) -> None:
    """Without its policies, logins of single organizations would lose it until the next publication."""
    own.database.execute(
        "drop policy insights_readers on insights.dim_tasks; alter table insights.dim_tasks disable row level security"
    )
    change_file(own, "delete from insights.dim_roles where role_id = (select max(role_id) from insights.dim_roles)")
    before = state_of(own.database)
    granted = "select has_column_privilege('orgo_insights_ro_readers', 'insights.dim_tasks', 'task_id', 'select')"
    with connect(own.database.reader_url) as reader:
        reader.execute("select count(task_id) from insights.dim_tasks")
        refusal = refusal_of(own, own.database, BusyError)
        assert refusal.startswith("Other sessions read insights.dim_tasks, so its row-level security could not be set")
    assert state_of(own.database) == before
    assert own.database.value(granted)
    assert copied_of(own.publish()) == {"dim_roles"}
    assert own.database.value("select relrowsecurity from pg_class where oid = 'insights.dim_tasks'::regclass")
    assert own.database.value(granted)


def test_rows_that_differ_from_the_file_are_not_published(own: Served) -> None:
    own.database.execute(
        "create function public.spoil() returns trigger language plpgsql as"
        " $$ begin new.display_name := 'another'; return new; end $$;"
        " create trigger spoil before insert on insights.dim_roles for each row execute function public.spoil()"
    )
    change_file(own, "update insights.dim_roles set display_name = display_name || '!'")
    before = state_of(own.database)
    with pytest.raises(
        FailedError, match=r"insights\.dim_roles would have 17 rows with the checksum \d+, and the file"
    ):
        own.publish()
    assert state_of(own.database) == before


def test_a_form_that_differs_is_brought_to_that_of_the_release(own: Served) -> None:
    own.database.execute("alter table insights.dim_roles drop column display_name, add column surplus text")
    newest = "select max(load_log_id) from insights_ops.load_log where relation_name = 'dim_roles'"
    load = own.database.value(newest)
    assert copied_of(own.publish()) == {"dim_roles"}
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
