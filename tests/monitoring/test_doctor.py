"""`insights doctor` finds what is wrong, says what to do, and is content with a warehouse in order."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.config.files import load_settings
from orchestration.config.variables import AIRFLOW_DATABASE
from orchestration.manifest import read_manifest
from orchestration.monitoring.doctor import examine
from orchestration.monitoring.findings import Finding
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services import LocalRedis

pytestmark = pytest.mark.services


@pytest.fixture
def patient(
    built: Warehouse, redis_server: LocalRedis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Warehouse, LocalRedis]]:
    """Yield the built sample and a cache, to which commands connect."""
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    monkeypatch.setenv("INSIGHTS_REDIS_URL", redis_server.url())
    monkeypatch.setenv("INSIGHTS_ALERT_WEBHOOK_URL", "https://chat.example.org/hook")
    read_manifest(load_settings())  # makes it if need be
    with connect(built.admin_url) as connection:
        initialize(
            connection, built.settings
        )  # the settings of roles are those of the server, which other tests use too
    yield built, redis_server


def found() -> dict[str, Finding]:
    """Return the findings by what was looked at."""
    findings = list(examine(load_settings()))
    assert len({finding.check for finding in findings}) == len(findings)
    return {finding.check: finding for finding in findings}


def test_everything_is_looked_at_and_what_is_in_order_needs_no_remedy(patient: tuple[Warehouse, LocalRedis]) -> None:
    findings = found()
    assert {"configuration", "manifest", "cache", "warehouse", "server", "clock", "grants", "source"} <= set(findings)
    for finding in findings.values():
        assert (finding.state == "ok") == (not finding.remedy), finding
    assert findings["Airflow's pool"].says == f"not looked at: {AIRFLOW_DATABASE} is not set here"
    broken = {name for name, finding in findings.items() if finding.state == "broken"}
    assert not broken
    expected = {"indexes of Orgo", "work_mem", "fsync", "configuration", "room for dbt's artifacts"}
    assert {name: f.says for name, f in findings.items() if f.state == "attention" and name not in expected} == {}


def test_each_fault_is_found(patient: tuple[Warehouse, LocalRedis]) -> None:
    warehouse, _ = patient
    warehouse.execute(
        "alter role orgo_insights_etl set jit to 'on';"
        "revoke usage on schema insights from orgo_insights_ro;"
        "alter table task_events drop constraint if exists task_events_pkey cascade;"
        "drop index tasks_changed_at; create index on tasks (least(created_at, updated_at));"
        # No index can have the order of moments of two types, so none is asked for.
        "drop index task_comments_changed_at; alter table task_comments alter column created_at type timestamp;"
        "insert into insights_ops.purge_log (relation_name, retention_class, as_of, cutoff, environment)"
        " values ('fact_tasks', 'raw_event', '2026-01-01', '2024-01-02', 'dev');"
        "insert into insights_ops.dag_outcomes (dag_id, run_id, ended_at, is_failing, step_seconds, undelivered)"
        " values ('insights_daily_events_load', 'a', now(), true, '{}', 2);"
        "create table insights.large with (autovacuum_enabled = off) as select n from generate_series(1, 20000) as n;"
    )
    try:
        warehouse.wait_for(
            "select coalesce(sum(n_live_tup), 0) >= 20000 from pg_stat_user_tables where relname = 'large'"
        )
        findings = found()
    finally:
        warehouse.execute("alter role orgo_insights_etl set jit to 'off'")
    assert "jit is on, not off" in findings["settings of orgo_insights_etl"].says
    assert findings["grants"].state == "broken"
    assert 'grant usage on schema "insights" to "orgo_insights_ro"' in findings["grants"].says
    missing = "missing: task_events (id), tasks (greatest(created_at, updated_at))"
    assert findings["indexes of Orgo"].says == missing
    assert findings["purge"].says == "unfinished: fact_tasks"
    assert findings["DAGs"].says == "failing: insights_daily_events_load"
    assert findings["messages"].says == "2 reached nobody"
    assert findings["statistics"].says == "old in large"


def test_what_does_not_answer_is_a_finding(
    patient: tuple[Warehouse, LocalRedis], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", "postgresql://etl@127.0.0.1:1/orgo")
    monkeypatch.setenv("INSIGHTS_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.delenv("INSIGHTS_ALERT_WEBHOOK_URL")
    result = CliRunner().invoke(commands, ["doctor", "--format", "json"])
    assert result.exit_code == 3
    states = {finding["check"]: finding["state"] for finding in json.loads(result.output)}
    assert (states["warehouse"], states["cache"], states["alerts"]) == ("broken", "broken", "attention")


def test_a_database_that_is_not_prepared_says_so(prepared: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    prepared.execute("drop table insights_ops.dag_outcomes")
    findings = found()
    assert findings["bookkeeping"] == Finding(
        "bookkeeping", "broken", "the bookkeeping lacks dag_outcomes", "Run: insights init"
    )
    assert findings["dags"].state == "broken"
    assert findings["cache"].state == "attention"
