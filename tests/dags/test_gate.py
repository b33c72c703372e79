"""The gate and each kind of error: it waits for what can come by itself and fails at once on the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import count

import pytest
from support.airflow import airflow_dags
from support.airflow.airflow_dags import run_dag, states
from support.airflow.task_log import TaskLog
from support.warehouse import Warehouse, connect_as

from orchestration.config.files import Settings
from orchestration.dags import gate
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

_seconds = count()

# The load log as a view over what fails with PostgreSQL's error of a conflict.
CONFLICT = """
alter table insights_ops.load_log rename to load_log_table;
create function public.conflict() returns setof insights_ops.load_log_table language plpgsql as
$$ begin raise exception using errcode = '2BP01', message = 'a conflict'; end $$;
create view insights_ops.load_log as select * from public.conflict();
grant select on insights_ops.load_log to orgo_insights_etl;
"""


@pytest.fixture
def gate_says(airflow: None, monkeypatch: pytest.MonkeyPatch, task_log: TaskLog) -> Callable[[str], str]:
    """Run the gate of the daily load on a warehouse, with no time to wait; it must fail. Returns its log."""
    airflow_dags.make_pool(1)
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    dag = airflow_dags.bag().dags["insights_daily_events_load"]
    alone = dag.partial_subset(["gate"], include_upstream=False, include_downstream=False)
    alone.get_task("gate").timeout = 0

    def run(url: str) -> str:
        monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", url)
        task_log.clear()
        run_at = f"2026-01-03T02:00:{next(_seconds):02}"
        assert states(run_dag(alone, run_at, as_of=SAMPLE_AS_OF.isoformat()))["gate"] == "failed"
        return task_log.text

    return run


def test_a_server_that_does_not_answer_is_waited_for(gate_says: Callable[[str], str]) -> None:
    assert "Waited 0 s. Cannot connect to PostgreSQL" in gate_says("postgresql://etl@127.0.0.1:1/orgo")


@pytest.mark.parametrize(
    ("limit", "table", "says"),
    [
        ("statement_timeout", "tasks", "The database ended a statement that took too long"),
        ("lock_timeout", "insights_ops.load_log", "Another session holds what this needs"),
    ],
)
def test_a_lock_is_waited_for(
    gate_says: Callable[[str], str], prepared: Warehouse, limit: str, table: str, says: str
) -> None:
    prepared.execute(f"alter role orgo_insights_etl set {limit} = '300ms'")
    try:
        with connect_as(prepared.admin_url) as holder, holder.transaction():
            holder.execute(f"lock table {table} in access exclusive mode".encode())
            assert f"Waited 0 s. {says}" in gate_says(prepared.etl_url)
    finally:
        prepared.execute(f"alter role orgo_insights_etl reset {limit}")


def test_a_conflict_fails_at_once(gate_says: Callable[[str], str], prepared: Warehouse) -> None:
    prepared.execute(CONFLICT)
    said = gate_says(prepared.etl_url)
    assert "Other objects depend on this (a conflict)." in said
    assert "Waited" not in said


def test_vanished_rows_fail_at_once(gate_says: Callable[[str], str], prepared: Warehouse) -> None:
    prepared.execute("insert into insights_ops.source_counts (table_name, row_count) values ('tasks', 90000)")
    said = gate_says(prepared.etl_url)
    tasks = prepared.value("select count(*) from tasks")
    assert f"vanished from: tasks (before: 90000, now: {tasks})" in said
    assert "Waited" not in said


@pytest.mark.usefixtures("airflow")
@pytest.mark.parametrize(
    ("key", "first"),
    [("daily_events_load", "staging_and_intermediate"), ("daily_dimensions_sync", "dimensions")],
)
def test_the_first_task_that_writes_checks_the_rows_again(
    monkeypatch: pytest.MonkeyPatch, task_log: TaskLog, prepared: Warehouse, key: str, first: str
) -> None:
    """It may be cleared, or wait for its turn, for hours after its gate."""
    airflow_dags.make_pool(1)
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    dag = airflow_dags.bag().dags[f"insights_{key}"]
    alone = dag.partial_subset([first], include_upstream=False, include_downstream=False)
    prepared.execute("insert into insights_ops.source_counts (table_name, row_count) values ('tasks', 90000)")
    run = run_dag(alone, f"2026-01-03T02:00:{next(_seconds):02}", as_of=SAMPLE_AS_OF.isoformat())
    assert states(run)[first] == "failed"
    tasks = prepared.value("select count(*) from tasks")
    assert f"vanished from: tasks (before: 90000, now: {tasks})" in task_log.text
    assert not prepared.value("select count(*) from insights_ops.load_log")


def test_an_error_that_waiting_cannot_fix_fails_at_once(
    gate_says: Callable[[str], str], prepared: Warehouse, postgres: LocalPostgres, database: str
) -> None:
    refused = "The operational tables cannot be read (permission denied"
    cases = {
        "mysql://etl@h/orgo": "must begin with postgresql://",
        "postgresql://etl@h/orgo?sslmod=require": "Cannot connect to PostgreSQL: invalid URI query parameter",
        "postgresql://etl@no-such-host.invalid/orgo": "failed to resolve host",
        postgres.url("there_is_no_such_database", "postgres"): 'database "there_is_no_such_database" does not exist',
        prepared.etl_url.replace("orgo_insights_etl", "nobody_here"): 'role "nobody_here" does not exist',
        database: "This database is not prepared. Run first: insights init",
        prepared.reader_url: refused,
    }
    for url, sentence in cases.items():
        said = gate_says(url)
        assert sentence in said, url
        assert "Waited" not in said, url
    prepared.execute("drop table task_comments cascade")
    said = gate_says(prepared.etl_url)
    assert 'The operational tables cannot be read (relation "public.task_comments" does not exist)' in said
    assert "Waited" not in said


def test_loads_that_no_enabled_dag_makes_are_not_waited_for(
    airflow: None,
    built: Warehouse,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    task_log: TaskLog,
) -> None:
    airflow_dags.make_pool(1)
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    dag = airflow_dags.bag().dags["insights_weekly_pattern_review"]
    alone = dag.partial_subset(["gate"], include_upstream=False, include_downstream=False)
    alone.get_task("gate").timeout = 0

    def state_without(second: int, day: date, *disabled: str) -> str | None:
        changed = {key: settings.dags[key].model_copy(update={"enabled_environments": ["staging"]}) for key in disabled}
        monkeypatch.setattr(
            gate, "load_settings", lambda: replace(settings, environment="prod", dags=settings.dags | changed)
        )
        task_log.clear()
        return states(run_dag(alone, f"2026-01-05T03:00:0{second}", as_of=day.isoformat()))["gate"]

    # What is loaded already needs no DAG.
    assert state_without(0, SAMPLE_AS_OF, "daily_events_load") == "success", task_log.text
    next_day = SAMPLE_AS_OF + timedelta(days=1)
    assert state_without(1, next_day, "daily_events_load") == "failed"
    assert "None will come, because insights_daily_events_load is not enabled in prod (" in task_log.text
    assert "Waited" not in task_log.text
    assert state_without(2, next_day, "daily_events_load", "daily_dimensions_sync") == "failed"
    both = "insights_daily_dimensions_sync, insights_daily_events_load"
    assert f"None will come, because these DAGs are not enabled in prod: {both} (" in task_log.text
    assert "Waited" not in task_log.text
    # Facts alone are missing, and their DAG is enabled.
    built.execute("delete from insights_ops.load_log where relation_name like 'fact%'")
    assert state_without(3, SAMPLE_AS_OF, "daily_dimensions_sync") == "failed"
    assert "Waited 0 s. The load log has no load of" in task_log.text
    assert "None will come" not in task_log.text
