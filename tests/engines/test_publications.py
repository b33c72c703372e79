"""What `insights publish` does when it is repeated, interrupted, or when others have changed rows."""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import timedelta

import duckdb
import pytest
from support.engines.laptop import INSIGHTS
from support.engines.publications import change_file, copied_of, publishing_variables, refusal_of, state_of
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


def test_an_interrupted_publication_leaves_the_former_one(own: Served) -> None:
    change_file(own, "delete from insights.dim_roles where role_id = (select max(role_id) from insights.dim_roles)")
    before = state_of(own.database)
    given = own.laptop.environment(**publishing_variables(own))
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
    assert state_of(own.database) == before
    assert copied_of(own.publish()) == {"dim_roles"}
    assert state_of(own.database) != before


def test_two_do_not_publish_at_once(own: Served) -> None:
    with own.database.locked(), pytest.raises(BusyError, match="Another process is writing to this warehouse: process"):
        own.publish()
    with duckdb.connect(str(own.laptop.file)):
        done = own.laptop.start("publish", **publishing_variables(own))
    assert f"The warehouse {own.laptop.file} is in use by process {os.getpid()} (python" in done.stderr


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
