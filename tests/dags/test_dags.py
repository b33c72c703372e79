"""The six DAGs as Airflow parses them, in each environment: from files alone."""

from __future__ import annotations

import os
import runpy
import socket
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.configuration import conf
from support.airflow import airflow_dags
from support.airflow.airflow_dags import IS_AIRFLOW_2, schedules, task_of

from orchestration.config.files import PROJECT, Settings, load_settings
from orchestration.dags.airflow_versions import CronDataIntervalTimetable
from orchestration.dags.factory import build_dags
from orchestration.dags.gate import Gate
from orchestration.dags.operators import DbtOperator

# Section 4.1 of the specification, by hand: id, schedule, where it is enabled, name in the queue.
INVENTORY = [
    ("insights_daily_events_load", "0 2 * * *", ["staging", "prod"], "orgo.analytics.export-facts"),
    ("insights_daily_dimensions_sync", "30 2 * * *", ["staging", "prod"], "orgo.analytics.export-facts"),
    ("insights_weekly_pattern_review", "0 3 * * 1", ["staging", "prod"], "orgo.insights.weekly-pattern-review"),
    ("insights_monthly_trend_report", "0 4 1 * *", ["staging", "prod"], "orgo.insights.monthly-trend-report"),
    ("insights_yearly_systemic_review", "0 5 1 1 *", ["prod"], "orgo.insights.yearly-systemic-review"),
    ("insights_cache_warmup_dashboards", "*/15 * * * *", ["staging", "prod"], "orgo.insights.cache-warmup-dashboards"),
]

DESCRIPTIONS = {
    "insights_daily_events_load": "Load operational tasks/cases into the insights fact tables (insights.fact_tasks,"
    " insights.fact_cases, insights.fact_wellbeing_checkins, etc.)",
    "insights_daily_dimensions_sync": "Sync dimension tables (organizations, roles, labels) into insights.dim_*",
    "insights_weekly_pattern_review": "Compute weekly patterns based on patterns.weekly.window_days",
    "insights_monthly_trend_report": "Generate monthly trend aggregates and store in summary tables /"
    " materialized views",
    "insights_yearly_systemic_review": "Compute yearly systemic patterns used by leadership overviews",
    "insights_cache_warmup_dashboards": "Pre\u2011warm caches for high\u2011traffic dashboards",
}

ENVIRONMENTS = ["dev", "staging", "prod", "offline"]

# The steps that write marts, in addition to every dbt command.
WRITERS = {"purge", "reconcile", "recount"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_environment_has_the_inventory(environment: str, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", environment)
    found = airflow_dags.bag()
    assert found.import_errors == {}
    assert set(found.dags) == {dag.id for dag in load_settings().dags.values()}
    for dag_id, schedule, enabled, queue_job_id in INVENTORY:
        dag = found.dags[dag_id]
        assert dag.description == DESCRIPTIONS[dag_id]
        assert schedules(found.dags)[dag_id] == (schedule if environment in enabled else None)
        assert list(dag.tags) == [queue_job_id]
        assert dag.params["queue_job_id"] == queue_job_id
        assert dag.owner == "data-team@example.org"
        assert dag.timezone.name == "UTC"


def test_offline_runs_on_schedule_only_where_it_is_enabled(
    manifest: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline = settings.insights.offline.model_copy(update={"enabled": True})
    insights = settings.insights.model_copy(update={"offline": offline})
    enabled = Settings("offline", insights, settings.profiles, settings.dags, settings.version)
    found = schedules({dag.dag_id: dag for dag in build_dags(enabled)})
    assert found.items() >= {dag_id: schedule for dag_id, schedule, *_ in INVENTORY}.items()
    assert None not in found.values()


def test_policy(prod: dict[str, airflow_dags.DAG]) -> None:
    for dag_id, dag in prod.items():
        assert len(dag.topological_sort()) == len(dag.tasks)  # an error where there is a cycle
        assert (dag.catchup, dag.max_active_runs) == (False, 1), dag_id
        assert isinstance(dag.timetable, CronDataIntervalTimetable), dag_id
        assert dag.dagrun_timeout and timedelta(0) < dag.dagrun_timeout <= timedelta(hours=6), dag_id
        assert dag.doc_md and dag.description and dag.doc_md.startswith(dag.description), dag_id
        assert all(f"`{step.split('.')[0]}`" in dag.doc_md for step in dag.task_ids), dag_id
        for task in dag.tasks:
            where = f"{dag_id}.{task.task_id}"
            assert task.retries == 3 and task.retry_exponential_backoff and task.max_retry_delay, where
            assert task.execution_timeout and timedelta(0) < task.execution_timeout < dag.dagrun_timeout, where
            is_writer = isinstance(task, DbtOperator) or task.task_id in WRITERS
            assert task.pool == ("insights_writer" if is_writer else "default_pool"), where
            assert task.queue == ("insights_etl" if is_writer else "default"), where
            assert task.pool_slots == 1, where
        assert [task.task_id for task in dag.roots] == ["gate"], dag_id
        gate = task_of(dag, "gate", Gate)
        assert gate.reschedule and timedelta(seconds=gate.timeout) < dag.dagrun_timeout, dag_id
        assert timedelta(seconds=gate.poke_interval) < timedelta(seconds=gate.timeout), dag_id


# What Python tells of processes, connections and databases that are begun.
OUTSIDE = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.", "sqlite3.connect")


def test_the_one_dag_file_is_short_and_reads_files_only(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = (PROJECT / "dags").glob("*.py")
    assert len(file.read_text().splitlines()) < 60
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    seen: list[str] = []
    is_parsing = True
    sys.addaudithook(lambda event, _: seen.append(event) if is_parsing else None)  # cannot be taken away again
    try:
        found = runpy.run_path(str(file))
        begun = [event for event in seen if event.startswith(OUTSIDE)]
        socket.socket().close()
    finally:
        is_parsing = False
    assert {dag_id for dag_id, *_ in INVENTORY} <= found.keys()
    assert begun == []
    assert "open" in seen and seen[-1].startswith(OUTSIDE), "the hook sees both"


@pytest.mark.skipif(not IS_AIRFLOW_2, reason="Airflow 3 has dropped the old name")
def test_airflow_takes_the_old_name_of_its_database_too(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = "AIRFLOW__CORE__SQL_ALCHEMY_CONN", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    monkeypatch.setenv(old, "postgresql+psycopg2://a:b@old/airflow")
    now = os.environ[new]
    assert conf.get("database", "sql_alchemy_conn") == now
    monkeypatch.delenv(new)
    with pytest.warns(DeprecationWarning, match="sql_alchemy_conn"):
        assert conf.get("database", "sql_alchemy_conn") == "postgresql+psycopg2://a:b@old/airflow"


def test_the_warm_up_ends_before_the_next_begins(prod: dict[str, airflow_dags.DAG]) -> None:
    most = prod["insights_cache_warmup_dashboards"].dagrun_timeout
    assert most and most < timedelta(minutes=15)


def test_digests_wait_for_their_review_and_for_no_export(prod: dict[str, airflow_dags.DAG]) -> None:
    for dag_id in (
        "insights_weekly_pattern_review",
        "insights_monthly_trend_report",
        "insights_yearly_systemic_review",
    ):
        task = prod[dag_id].task_dict["send_digests"]
        assert task.upstream_task_ids, dag_id
        assert all(name.startswith("review.") for name in task.upstream_task_ids), dag_id
        assert task.downstream_task_ids == set(), dag_id
    daily = prod["insights_daily_dimensions_sync"].task_dict
    assert daily["send_digests"].upstream_task_ids == daily["export_day"].upstream_task_ids == {"load_log"}
