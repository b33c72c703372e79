"""DAGs run for real, as `airflow dags test` runs them, on the sample with INSIGHTS_ENV=prod.

The two daily loads run under a scheduler, in test_airflow_service.py.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import redis
from support.airflow import airflow_dags
from support.airflow.airflow_dags import IS_AIRFLOW_2, run_dag, states, task_of
from support.airflow.task_log import TaskLog
from support.dashboards.dashboard_scenario import patient_commands
from support.reviews.core_services import CoreServices
from support.warehouse import Warehouse

from orchestration.config.files import load_settings
from orchestration.dags.gate import Gate
from orchestration.monitoring.machine_checks import machine_checks
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalRedis

pytestmark = pytest.mark.services

AS_OF = SAMPLE_AS_OF.isoformat()


@pytest.fixture(autouse=True)
def environment(airflow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment to prod and create its pool."""
    airflow_dags.make_pool(1)
    monkeypatch.setenv("INSIGHTS_ENV", "prod")


@pytest.fixture
def dags(environment: None) -> dict[str, airflow_dags.DAG]:
    """Return the DAGs by id."""
    return dict(airflow_dags.bag().dags)


def _gate(dag: airflow_dags.DAG, run_at: str, **conf: str) -> str:
    """Run only the gate of a DAG and return its state."""
    alone = dag.partial_subset(["gate"], include_upstream=False, include_downstream=False)
    return states(run_dag(alone, run_at, **conf))["gate"]


def _logged(warehouse: Warehouse, since: int = 0) -> dict[str, list[tuple[date, date, str]]]:
    """Return as_of, horizon and environment of each load in the load log, by relation."""
    found: dict[str, list[tuple[date, date, str]]] = {}
    query = "select relation_name, as_of, horizon, environment from insights_ops.load_log where load_log_id > %s"
    for name, *load in warehouse.rows(f"{query} order by load_log_id", since):
        found.setdefault(name, []).append(tuple(load))
    return found


def test_the_dimensions_do_not_wait_where_no_fact_was_ever_loaded(
    dags: dict[str, airflow_dags.DAG],
    prepared: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    task_log: TaskLog,
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    assert _gate(dags["insights_daily_dimensions_sync"], "2026-01-01T02:31:00", as_of=AS_OF) == "failed"
    assert "fact_tasks (never loaded)" in task_log.text
    assert "Run once: insights build" in task_log.text


def test_the_weekly_review_sends_its_cases_once(
    dags: dict[str, airflow_dags.DAG], built: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "warehouse_url"
    secret.write_text(f"{built.etl_url}\n")
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL_FILE", str(secret))  # dbt's steps and all others read it from there
    last = built.value("select max(load_log_id) from insights_ops.load_log")
    with CoreServices.started() as core:
        monkeypatch.setenv("INSIGHTS_CORE_API_URL", core.url)
        run = run_dag(dags["insights_weekly_pattern_review"], "2026-01-01T03:00:00", as_of=AS_OF)
    assert set(states(run).values()) == {"success"}, states(run)
    asked = built.value("select count(*) from insights_ops.review_requests")
    assert len(core.cases) == asked > 0
    assert built.rows("select status, count(*) from insights_ops.review_deliveries group by 1") == [("sent", asked)]
    logged = _logged(built, last)
    assert logged["pattern_weekly"] == [(SAMPLE_AS_OF, SAMPLE_AS_OF, "prod")]
    assert len(logged["fact_tasks"]) == 2, "reconcile loads, then compares"
    assert not {"pattern_monthly", "pattern_yearly"} & set(logged)


@pytest.mark.parametrize(
    ("dag_id", "pattern"),
    [
        ("insights_monthly_trend_report", "pattern_monthly"),
        ("insights_yearly_systemic_review", "pattern_yearly"),
    ],
)
def test_the_other_reviews_are_green_without_core_services(
    dag_id: str, pattern: str, dags: dict[str, airflow_dags.DAG], built: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    last = built.value("select max(load_log_id) from insights_ops.load_log")
    run = run_dag(dags[dag_id], "2026-01-01T05:00:00", as_of=AS_OF)
    assert set(states(run).values()) == {"success"}, states(run)
    assert {name: loads for name, loads in _logged(built, last).items() if name.startswith("pattern_")} == {
        pattern: [(SAMPLE_AS_OF, SAMPLE_AS_OF, "prod")]
    }
    assert built.value("select count(*) from insights_ops.review_deliveries") == 0


def test_a_review_waits_for_the_loads_and_then_says_what_is_missing(
    dags: dict[str, airflow_dags.DAG],
    built: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    task_log: TaskLog,
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    dag = dags["insights_weekly_pattern_review"]
    task_of(dag, "gate", Gate).timeout = 0
    run = run_dag(dag, "2026-01-02T03:00:00", as_of="2026-01-02")
    assert (run.state, states(run)["gate"], states(run)["reconcile"]) == ("failed", "failed", "upstream_failed")
    said = task_log.text
    assert "The load log has no load of 2026-01-02 yet of: bridge_entity_labels (last: 2026-01-01)" in said


def test_the_warm_up_fills_the_cache_and_fails_without_one(
    dags: dict[str, airflow_dags.DAG],
    built: Warehouse,
    redis_server: LocalRedis,
    monkeypatch: pytest.MonkeyPatch,
    task_log: TaskLog,
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    run = run_dag(dags["insights_cache_warmup_dashboards"], "2026-01-01T02:15:00")
    assert states(run) == {"gate": "success", "warm": "failed"}
    assert "There is no cache to warm: INSIGHTS_REDIS_URL is not set." in task_log.text
    monkeypatch.setenv("INSIGHTS_REDIS_URL", redis_server.url())
    patient_commands(monkeypatch)
    run = run_dag(dags["insights_cache_warmup_dashboards"], "2026-01-01T02:30:00")
    assert states(run) == {"gate": "success", "warm": "success"}
    active = built.value("select count(*) from organizations where lower(trim(status::text)) = 'active'")
    with redis.Redis.from_url(redis_server.url()) as client:
        assert len(list(client.scan_iter("insights:prod:{task_volume}:entry:*"))) == active


@pytest.mark.parametrize(
    ("environment_name", "reason"),
    [
        ("dev", "is not enabled in dev; config/insights/dags.yaml enables it in staging, prod"),
        ("offline", "No DAG runs in offline: insights.offline.enabled in config/insights/config.yaml is false"),
    ],
)
def test_a_run_where_the_dag_is_not_enabled_is_skipped_with_the_reason(
    environment_name: str, reason: str, monkeypatch: pytest.MonkeyPatch, task_log: TaskLog
) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", environment_name)  # and no warehouse: nothing is to be asked
    dag = airflow_dags.bag().dags["insights_daily_events_load"]
    run = run_dag(dag, "2026-01-01T02:00:00" if environment_name == "dev" else "2026-01-01T02:01:00")
    assert set(states(run).values()) == {"skipped"}
    assert reason in task_log.text


@pytest.mark.skipif(not IS_AIRFLOW_2, reason="in Airflow 3, no task may ask for the pool (decision D273)")
@pytest.mark.parametrize("slots", [None, 2])
def test_without_the_pool_of_one_slot_the_gate_says_so(
    slots: int | None, dags: dict[str, airflow_dags.DAG], task_log: TaskLog
) -> None:
    airflow_dags.make_pool(slots) if slots else airflow_dags.drop_pool()
    assert _gate(dags["insights_daily_events_load"], f"2026-01-01T02:02:0{slots or 0}") == "failed"
    said = task_log.text
    assert f"pool insights_writer {'has 2 slots' if slots else 'does not exist'}; it must have one slot" in said
    assert "airflow pools set insights_writer 1" in said
    found = {finding.check: finding for check in machine_checks() for finding in check(load_settings())}
    assert found["Airflow's pool"].state == "broken"
    assert "airflow pools set insights_writer 1" in found["Airflow's pool"].says


def test_a_configuration_that_was_broken_since_the_parsing_stops_the_run(
    dags: dict[str, airflow_dags.DAG], monkeypatch: pytest.MonkeyPatch, task_log: TaskLog
) -> None:
    monkeypatch.setenv("INSIGHTS_DEFAULT_PROFILE_KEY", "hospitol")
    assert _gate(dags["insights_weekly_pattern_review"], "2026-01-01T02:06:00") == "failed"
    assert (
        'INSIGHTS_DEFAULT_PROFILE_KEY is "hospitol": there is no such profile. Did you mean hospital?' in task_log.text
    )


def test_a_warehouse_that_does_not_answer_is_waited_for(
    dags: dict[str, airflow_dags.DAG],
    monkeypatch: pytest.MonkeyPatch,
    task_log: TaskLog,
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", "postgresql://etl@127.0.0.1:1/orgo")  # nothing listens there
    dag = dags["insights_daily_events_load"]
    task_of(dag, "gate", Gate).timeout = 0
    assert _gate(dag, "2026-01-01T02:03:00") == "failed"
    assert "Waited 0 s. Cannot connect to PostgreSQL" in task_log.text


def test_an_unprepared_database_fails_at_once(
    dags: dict[str, airflow_dags.DAG], database: str, monkeypatch: pytest.MonkeyPatch, task_log: TaskLog
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", database)
    assert _gate(dags["insights_daily_events_load"], "2026-01-01T02:04:00") == "failed"
    assert "This database is not prepared. Run first: insights init" in task_log.text


def test_a_clock_in_the_future_fails_at_once(
    dags: dict[str, airflow_dags.DAG],
    prepared: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    task_log: TaskLog,
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    assert _gate(dags["insights_daily_events_load"], "2026-01-01T02:05:00", as_of="2999-01-01") == "failed"
    assert "as_of 2999-01-01 is in the future; the latest that can be is tomorrow (UTC)." in task_log.text
