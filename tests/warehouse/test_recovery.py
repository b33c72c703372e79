"""What a killed run, a wrong clock or a wrong command leaves behind: no row lost, doubled or taken back."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from support.contents import contents, incremental, row_changes, row_of
from support.forked import ForkedBuild
from support.small_scenario import NEXT_DAY, event_of_sample
from support.warehouse import NO_TESTS, Warehouse, connect_as

from orchestration import dbt
from orchestration.errors import InsightsError

pytestmark = pytest.mark.services

# The tables of changes between the views of the source and the facts of tasks, and those facts.
CHANGES = ("int_task_statuses", "int_task_lifecycle")
PLAIN_TASK = "select task_id from insights.dim_tasks where quality_flags = '{}' and created_at > '2025-06-01' limit 1"
WATERMARK = "select max(load_log_id) from insights_ops.load_log where relation_name = %s"


def _everything(warehouse: Warehouse) -> dict[str, dict[UUID, str]]:
    return {relation: contents(warehouse, relation) for relation in incremental()}


def test_a_killed_run_loses_and_doubles_nothing(built: Warehouse) -> None:
    before = contents(built, "insights.fact_tasks")
    marks = {name: built.value(WATERMARK, name) for name in ("dim_tasks", "fact_tasks")}
    selected = ("--select", *CHANGES, "int_case_lifecycle", "dim_tasks", "fact_tasks", *NO_TESTS)
    with connect_as(built.admin_url) as other, other.transaction():
        # Readers pass, writers wait: the run gets as far as writing fact_tasks, with dim_tasks loaded.
        other.execute("lock table insights.fact_tasks in share row exclusive mode")
        load = ForkedBuild(built, *selected, as_of=NEXT_DAY)
        waits = "select exists (select from pg_locks where relation = 'insights.fact_tasks'::regclass and not granted)"
        built.wait_for(waits)
        built.wait_for(
            f"select max(load_log_id) > {marks['dim_tasks']} from insights_ops.load_log"
            " where relation_name = 'dim_tasks'",
        )
        load.kill()
    row_changes(built)  # waits until the orphaned sessions have ended
    assert contents(built, "insights.fact_tasks") == before
    assert built.value(WATERMARK, "fact_tasks") == marks["fact_tasks"]

    assert built.build(*selected, as_of=NEXT_DAY).succeeded
    after = contents(built, "insights.fact_tasks")
    # docs/sample.md: on 2026-01-01 three tasks are created, three closed, three get their first comment.
    assert len(after) == len(before) + 3
    assert sum(1 for key in before if after[key] != before[key]) == 6
    assert set(after) == {key for (key,) in built.rows("select task_id from insights.dim_tasks")}


def test_a_crash_of_the_server_between_two_steps_loses_nothing(built: Warehouse) -> None:
    task = built.value(PLAIN_TASK)
    count = "select event_count from insights.fact_tasks where task_id = %s"
    before = built.value(count, task)
    built.execute(event_of_sample(task, "metadata_updated", "2026-01-01 12:00"))
    assert built.build("--select", *CHANGES, *NO_TESTS, as_of=NEXT_DAY).succeeded
    # What a crash does: it empties the unlogged tables.
    for (table,) in built.rows("select oid::regclass::text from pg_class where relkind = 'r' and relpersistence = 'u'"):
        built.execute(f"truncate {table}")
    marts = built.build("--select", "dim_tasks", "fact_tasks", *NO_TESTS, as_of=NEXT_DAY)
    logged = built.value(
        "select loaded_through >= '2026-01-02' from insights_ops.load_log where relation_name = 'fact_tasks'"
        " order by load_log_id desc limit 1"
    )
    # Refused, or loaded; but not logged as loaded while it is not.
    assert not marts.succeeded or built.value(count, task) == before + 1 or not logged


def test_a_clock_that_went_back_hides_no_change(built: Warehouse) -> None:
    task = built.value(PLAIN_TASK)
    count = "select event_count from insights.fact_tasks where task_id = %s"
    before = built.value(count, task)
    built.execute(event_of_sample(task, "metadata_updated", "2025-11-01 08:00"))
    built.execute(
        "insert into insights_ops.load_log"
        " (relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment)"
        " select distinct on (relation_name) relation_name, as_of, horizon, loaded_from, now() + interval '1 day',"
        " cutoff, 'a clock that is a day ahead', environment from insights_ops.load_log"
        " order by relation_name, load_log_id desc"
    )
    # Everything that int_task_lifecycle feeds: its window starts at the oldest watermark of them all.
    fed = ("fact_tasks", "dim_tasks", "fact_task_statuses", "fact_cases", "dim_cases")
    run = ("--select", *CHANGES, "int_case_lifecycle", "personal_cases", *fed, *NO_TESTS)
    assert built.build(*run).succeeded
    assert built.value(count, task) == before + 1
    # The next load has its watermark back.
    assert built.build("--select", *CHANGES, *NO_TESTS).succeeded
    assert built.value(
        "select isfinite(loaded_from) and loaded_through <= now() from insights_ops.load_log"
        " where relation_name = 'int_task_lifecycle' order by load_log_id desc limit 1"
    )


def test_an_as_of_that_cannot_be_is_refused_before_anything_is_built(prepared: Warehouse) -> None:
    in_two_days = (datetime.now(UTC).date() + timedelta(days=2)).isoformat()
    refusals = {
        in_two_days: f"as_of {in_two_days} is in the future; the latest that can be is tomorrow (UTC).",
        "2026-02-30": "as_of is '2026-02-30'; it must be a date like 2026-01-31.",
        "31.01.2026": "as_of is '31.01.2026'; it must be a date like 2026-01-31.",
    }
    for as_of, sentence in refusals.items():
        # A seed and a view, which could be built without a day.
        result = prepared.build("--select", "tokens", "stg_roles", as_of=as_of)
        assert not result.succeeded
        assert sentence in result.output
        assert _relations(prepared) == []


def _relations(warehouse: Warehouse) -> list[str]:
    rows = warehouse.rows(
        "select oid::regclass::text from pg_class where relkind in ('r', 'v', 'm')"
        " and relnamespace::regnamespace::text like 'insights%' and relnamespace <> 'insights_ops'::regnamespace"
    )
    return [name for (name,) in rows]


# The incremental relations of the star schema and the rejects, with the tables between them.
FACTS = ("marts.core", "marts.personal", "rejects", *CHANGES, "int_case_lifecycle", "int_business_intervals")


def test_a_full_refresh_is_refused_and_a_rebuild_is_what_it_says(built: Warehouse) -> None:
    task = built.value(PLAIN_TASK)
    built.execute(
        f"delete from task_comments where task_id = '{task}'; delete from task_assignments where task_id = '{task}';"
        f"update wellbeing_checkins set related_task_id = null where related_task_id = '{task}';"
        f"delete from task_events where task_id = '{task}'; delete from tasks where id = '{task}'"
    )
    built.execute(
        "update insights_ops.rejects set resolved_at = '2025-12-01', source_id = gen_random_uuid()"
        " where source_id = (select min(source_id::text)::uuid from insights_ops.rejects)"
    )
    before = _everything(built)

    refused = built.build("--full-refresh", "--select", *FACTS, *NO_TESTS)
    assert not refused.succeeded
    # These wait in vain for refused tables: for the facts, for personal_cases, and for dim_tasks.
    waiting = {"insights.dim_persons", "insights.dim_cases", "insights.fact_task_statuses"}
    waiting |= {f"insights.fact_{name}_business_times" for name in ("task", "task_status", "case")}
    for relation in waiting:
        assert f"SKIP relation {relation} " in refused.output
    for relation in set(incremental()) - waiting:
        quoted = ".".join(f'"{part}"' for part in (built.name, *relation.split(".")))
        assert f"--full-refresh would rebuild {quoted} from the operational database" in refused.output
    assert "If that is meant: insights rebuild --yes" in refused.output
    assert _everything(built) == before

    rebuilt = ("int_case_lifecycle", "dim_tasks", "fact_tasks", "report_task_volume")
    assert built.build("--full-refresh", "--select", *CHANGES, *rebuilt, *NO_TESTS, rebuild=True).succeeded
    for relation in ("insights.dim_tasks", "insights.fact_tasks"):
        assert set(before[relation]) - set(contents(built, relation)) == {task}
    with connect_as(built.reader_url) as reader:
        row = reader.execute("select count(task_id) from insights.fact_tasks").fetchone()
        volume = reader.execute("select sum(task_count) from insights.report_task_volume").fetchone()
    assert row == volume == (len(before["insights.fact_tasks"]) - 1,)


def test_a_mart_is_not_rebuilt_from_a_delta_table_that_holds_only_changes(built: Warehouse) -> None:
    rebuilt = ("insights.fact_tasks", "insights.report_task_volume")
    before = [contents(built, relation, row_of(relation)) for relation in rebuilt]
    assert built.build("--select", *CHANGES, *NO_TESTS).succeeded
    built.execute("drop table insights.fact_tasks cascade")
    refused = built.build("--select", "fact_tasks", *NO_TESTS)
    assert not refused.succeeded
    sentence = "does not exist, and int_task_lifecycle holds only the latest changes."
    assert f"{sentence} Build both: dbt build --select +fact_tasks" in refused.output
    repaired = built.build("--select", "+fact_tasks", "report_task_volume", *NO_TESTS)
    assert repaired.succeeded, repaired.output[-2000:]
    assert [contents(built, relation, row_of(relation)) for relation in rebuilt] == before


def test_one_writer_at_a_time_and_its_lock_dies_with_its_session(prepared: Warehouse) -> None:
    with prepared.locked() as holder:
        pid = holder.connection.info.backend_pid
        named = rf"process {pid} \(orgo_insights_etl, orgo-insights, since .*, .* on .*, process {os.getpid()} there\)"
        with pytest.raises(InsightsError, match=f"Another process is writing to this warehouse: {named}"):
            dbt.write(prepared.settings, ["build"], url=prepared.etl_url)
        with connect_as(prepared.admin_url) as admin:
            admin.execute("select pg_terminate_backend(%s, 180000)", [pid])
        with prepared.locked():
            pass
    # Nothing was written in vain, so the holder whose session has ended reports no error.
    assert holder.connection.closed
