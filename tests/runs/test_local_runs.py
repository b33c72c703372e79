"""A job runs on a host without Airflow as its DAG does: the same steps, attempts, messages and records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from support.command import Fails
from support.dashboards.dashboard_scenario import patient_commands
from support.monitoring.receivers import webhook
from support.warehouse import Warehouse

from orchestration import flows
from orchestration.config.files import Settings, load_settings
from orchestration.errors import FailedError, TimedOutError
from orchestration.flows import FLOWS
from orchestration.runs.local import run_job
from orchestration.runs.work import WORK, Run
from orchestration.warehouse.database import Database
from orchestration.warehouse.writer_lock import writer_lock
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalRedis

pytestmark = pytest.mark.services
pytest_plugins = ["support.command"]

OUTCOME = "select failures, is_failing, run_id, message from insights_ops.dag_outcomes where dag_id = %s"
LOADS = "select relation_name from insights_ops.load_log where load_log_id > %s"


class Said(list[str]):
    """The lines of a run, and the pauses that it asked for, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def run(self, settings: Settings, key: str, **options: object) -> bool:
        return run_job(settings, key, self.append, pause=self.pause, **options)  # type: ignore[arg-type]


@pytest.fixture
def prod(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """Yield the built sample, to which jobs of prod connect."""
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    yield built


def test_each_step_of_each_job_has_its_work() -> None:
    of_other_kinds = (flows.Gate, flows.Dbt, flows.Models)
    named = {s.task_id for f in FLOWS.values() for s in f.steps if not isinstance(s, of_other_kinds)}
    assert named == {*WORK, "load_log"}


@pytest.mark.parametrize(
    ("key", "marts"),
    [
        ("daily_dimensions_sync", {"dim_organizations", "dim_persons", "dim_roles", "dim_labels"}),
        ("monthly_trend_report", {"report_monthly_trends", "pattern_monthly"}),
    ],
)
def test_the_steps_of_dbt_load_the_marts_of_the_job(key: str, marts: set[str], prod: Warehouse) -> None:
    last, said = prod.value("select max(load_log_id) from insights_ops.load_log"), Said()
    assert said.run(load_settings(), key, as_of=SAMPLE_AS_OF)
    loaded = {name for (name,) in prod.rows(LOADS, last)}
    assert marts <= loaded
    assert not {"fact_tasks", "pattern_weekly"} & loaded
    steps = [step.task_id for step in FLOWS[key].steps]
    assert [line.partition(":")[0] for line in said if line.partition(":")[0] in steps] == steps
    assert prod.value(
        "select array(select jsonb_object_keys(step_seconds) order by 1) from insights_ops.dag_outcomes"
    ) == sorted(steps)
    assert said.pauses == []


def test_a_failure_is_recorded_and_told_once_and_so_is_its_end(
    prod: Warehouse, redis_server: LocalRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    dag_id, now = "insights_cache_warmup_dashboards", datetime(2026, 1, 3, 2, 16, tzinfo=UTC)
    with webhook() as chat:
        monkeypatch.setenv("INSIGHTS_ALERT_WEBHOOK_URL", chat.url)
        monkeypatch.setenv("INSIGHTS_REDIS_URL", "redis://127.0.0.1:1/0")
        said = Said()
        with pytest.raises(FailedError, match="Step warm: "):
            said.run(load_settings(), "cache_warmup_dashboards", now=now)
        assert said[0] == f"{dag_id}: as_of is 2026-01-03"
        assert said.pauses == [60, 120, 240], "Redis may be there at the next attempt"
        failures, is_failing, run_id, message = prod.rows(OUTCOME, dag_id)[0]
        assert (failures, is_failing, run_id) == (1, True, "host__2026-01-03T02:15:00+00:00")
        assert message.startswith("Step warm: ")
        assert [text.splitlines()[0] for text in chat.texts] == [f"Failed: {dag_id} in prod"]

        monkeypatch.setenv("INSIGHTS_REDIS_URL", redis_server.url())
        patient_commands(monkeypatch)
        for _ in range(2):
            assert Said().run(load_settings(), "cache_warmup_dashboards", now=now)
        assert [text.splitlines()[0] for text in chat.texts[1:]] == [f"Well again: {dag_id} in prod"]
    assert prod.rows(OUTCOME, dag_id)[0][:2] == (1, False)


def test_a_review_waits_for_the_loads_and_says_which(prod: Warehouse) -> None:
    said = Said()
    with pytest.raises(FailedError, match=r"Step gate: Waited 7200 s\..*fact_tasks"):
        said.run(load_settings(), "weekly_pattern_review", as_of=date(2026, 1, 2))
    assert (len(said.pauses), set(said.pauses)) == (120, {60.0})
    assert not [line for line in said if line.startswith("reconcile:")]


def test_a_purge_runs_after_a_failed_gate_too(prod: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = FLOWS["weekly_pattern_review"].steps[0]  # waits for loads of tomorrow
    steps = (gate, *_without_dbt("daily_events_load").steps[1:])
    monkeypatch.setitem(FLOWS, "daily_events_load", flows.Flow(timedelta(), timedelta(hours=4), steps))
    said = Said()
    with pytest.raises(FailedError, match=r"failed\.\nStep gate: Waited 0 s\. .*$") as failed:
        said.run(load_settings(), "daily_events_load", as_of=date(2026, 1, 2))
    assert "Step purge" not in str(failed.value)
    assert [line.partition(":")[0] for line in said if line.partition(":")[0] in ("gate", "purge", "load_log")] == [
        "gate",
        "purge",
    ]


def test_a_step_waits_while_another_process_writes_and_a_failed_one_stops_what_follows(
    prod: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, said = load_settings(), Said()
    monkeypatch.setitem(FLOWS, "daily_events_load", _without_dbt("daily_events_load"))
    with (
        Database.open(settings, prod.etl_url) as other,
        writer_lock(other),
        pytest.raises(FailedError, match=r"daily_events_load failed\.\nStep purge: Another process") as failed,
    ):
        said.run(settings, "daily_events_load", as_of=SAMPLE_AS_OF)
    assert said.pauses == [60.0] * 120, "two hours, the time limit of a step"
    assert "load_log" not in str(failed.value)
    assert not [line for line in said if line.startswith("load_log:")]
    assert said.run(settings, "daily_events_load", as_of=SAMPLE_AS_OF)
    assert [line for line in said if line.startswith("load_log:")]


def _without_dbt(key: str) -> flows.Flow:
    flow = FLOWS[key]
    steps = tuple(step for step in flow.steps if not isinstance(step, flows.Dbt))
    return flows.Flow(flow.wait, flow.run_timeout, steps)


def test_where_a_job_is_not_enabled_nothing_happens(
    prod: Warehouse, monkeypatch: pytest.MonkeyPatch, fails: Fails
) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "dev")
    said = Said()
    assert not said.run(load_settings(), "daily_events_load")
    assert said == [
        "insights_daily_events_load is not enabled in dev; config/insights/dags.yaml enables it in staging, prod."
        " The command insights does the same work by hand."
    ]
    assert prod.value("select count(*) from insights_ops.dag_outcomes") == 0
    assert "Did you mean daily_events_load?" in fails("run", "daily_event_load", code=2)


def test_a_run_that_is_ended_is_recorded(prod: Warehouse) -> None:
    def end(_seconds: float) -> None:
        raise SystemExit(143)  # as `stopping_raises` does at SIGTERM, which systemd sends

    with pytest.raises(SystemExit):
        run_job(load_settings(), "weekly_pattern_review", Said().append, as_of=date(2026, 1, 2), pause=end)
    failures, is_failing, _, message = prod.rows(OUTCOME, "insights_weekly_pattern_review")[0]
    assert (failures, is_failing, message) == (1, True, "it was interrupted")


def test_the_error_of_a_defect_is_told_and_raised(prod: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_run: Run) -> None:
        raise KeyError("cutoff")

    monkeypatch.setitem(FLOWS, "daily_events_load", _only_purge(timedelta(hours=4)))
    monkeypatch.setitem(WORK, "purge", fail)
    with pytest.raises(KeyError):
        Said().run(load_settings(), "daily_events_load", as_of=SAMPLE_AS_OF)
    assert prod.rows(OUTCOME, "insights_daily_events_load")[0][3] == "Step purge: KeyError: 'cutoff'"


def test_the_limits_of_a_step_and_of_the_run_cancel_what_takes_longer(
    prod: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(run: Run) -> None:
        with Database.open(run.settings) as db:
            db.rows("select pg_sleep(60)")

    key, dag_id = "daily_events_load", "insights_daily_events_load"
    sleeping = "select count(*) from pg_stat_activity where state = 'active' and query = 'select pg_sleep(60)'"
    monkeypatch.setitem(WORK, "purge", hang)
    monkeypatch.setitem(FLOWS, key, _only_purge(timedelta(hours=4)))
    monkeypatch.setattr(flows, "step_timeout", lambda _: timedelta(seconds=0.5))
    said = Said()
    with pytest.raises(
        FailedError, match=r"Step purge: The attempt took longer than .* 0:00:00\.5\d* and was canceled"
    ):
        said.run(load_settings(), key, as_of=SAMPLE_AS_OF)
    assert said.pauses == [60, 120, 240]
    assert prod.value(sleeping) == 0

    monkeypatch.setattr(flows, "step_timeout", lambda _: timedelta(hours=2))
    monkeypatch.setitem(FLOWS, key, _only_purge(timedelta(seconds=1)))
    with pytest.raises(TimedOutError, match=rf"^The run of {dag_id} took longer than its time limit of 0:00:01 "):
        said.run(load_settings(), key, as_of=SAMPLE_AS_OF)
    assert f"The run of {dag_id} took longer" in prod.rows(OUTCOME, dag_id)[0][3]


def _only_purge(run_timeout: timedelta) -> flows.Flow:
    return flows.Flow(timedelta(), run_timeout, (flows.Always("purge", "hangs or fails"),))
