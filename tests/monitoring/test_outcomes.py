"""The record of how runs ended, how late a DAG is, and the words of messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.warehouse import Warehouse

from orchestration.config.cron import next_time
from orchestration.config.files import load_settings
from orchestration.monitoring.delays import delays
from orchestration.monitoring.outcomes import Ended, Outcome, Recorded, outcomes, record
from orchestration.warehouse.database import Database

DAILY, WARM_UP = "insights_daily_events_load", "insights_cache_warmup_dashboards"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "following"),
    [
        ("0 2 * * *", "2026-11-28 02:00", "2026-11-29 02:00"),
        ("0 2 * * *", "2026-11-28 01:59:59", "2026-11-28 02:00"),
        ("*/15 * * * *", "2026-11-28 02:44", "2026-11-28 02:45"),
        ("0 3 * * 1", "2026-11-28 12:00", "2026-11-30 03:00"),
        ("0 4 1 * *", "2026-12-01 04:00", "2027-01-01 04:00"),
        ("0 0 29 2 *", "2097-01-01 00:00", "2104-02-29 00:00"),
    ],
)
def test_the_next_time_of_a_schedule(expression: str, after: str, following: str) -> None:
    assert next_time(expression, at(after)) == at(following)


def ended(run: str, hour: int, message: str | None) -> Ended:
    when = at(f"2026-11-28 {hour:02}:05")
    return Ended(WARM_UP, run, when, when.replace(minute=0), message, {"warm": 2.5})


@pytest.mark.services
def test_each_run_counts_once_however_often_it_is_told(prepared: Warehouse) -> None:
    with Database.open(prepared.settings, prepared.etl_url) as db:
        assert record(db, ended("a", 1, "broken")) == Recorded(is_new=True, failing_since=None)
        assert record(db, ended("a", 1, "broken")) == Recorded(is_new=False, failing_since=at("2026-11-28 01:05"))
        # The same run, repeated and failed again, is another failure; the DAG has failed since the first.
        assert record(db, ended("a", 2, "broken")) == Recorded(is_new=True, failing_since=at("2026-11-28 01:05"))
        assert outcomes(db)[WARM_UP] == Outcome(2, None, is_failing=True, step_seconds={"warm": 2.5})
        assert record(db, ended("b", 4, None)) == Recorded(is_new=True, failing_since=at("2026-11-28 01:05"))
        # A repeated run of an earlier interval does not take the later success away.
        assert record(db, ended("c", 3, None)) == Recorded(is_new=True, failing_since=None)
        assert outcomes(db)[WARM_UP] == Outcome(2, at("2026-11-28 04:00"), step_seconds={"warm": 2.5})


@pytest.mark.services
def test_a_dag_is_late_by_its_marts_or_by_its_runs(prepared: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    marts = {"daily_events_load": ["fact_tasks", "fact_cases"]}
    with Database.open(load_settings(), prepared.etl_url) as db:
        assert set(delays(db, marts, {}).values()) == {0.0}, "nothing was ever loaded"
        now = db.value("select now()").astimezone(UTC)
        today, minute = now.date(), timedelta(minutes=1)
        for name, days in (("fact_tasks", 3), ("fact_cases", 5), ("fact_cases", 4)):
            _load(db, name, days)
        # The older mart has the data before four days ago, so the run of three days ago at 02:00 is the oldest missing.
        due = datetime.combine(today - timedelta(days=3), datetime.min.time(), UTC) + timedelta(hours=2)
        succeeded = now - timedelta(hours=1)
        found = delays(db, marts, {WARM_UP: Outcome(interval_end=succeeded), DAILY: Outcome(interval_end=now)})
        assert found[DAILY] == pytest.approx((now - due) / minute, abs=1)
        quarter = succeeded.replace(minute=succeeded.minute // 15 * 15, second=0, microsecond=0) + 15 * minute
        assert found[WARM_UP] == pytest.approx((now - quarter) / minute, abs=1)
        _load(db, "fact_cases", 0)
        _load(db, "fact_tasks", 0)
        assert delays(db, marts, {})[DAILY] == 0.0
    monkeypatch.setenv("INSIGHTS_ENV", "dev")
    with Database.open(load_settings(), prepared.etl_url) as db:
        assert set(delays(db, marts, {WARM_UP: Outcome(interval_end=at("2020-01-01"))}).values()) == {0.0}


def _load(db: Database, relation: str, days: int) -> None:
    """Log a load of a relation as of a day so many days ago."""
    db.execute(
        "insert into insights_ops.load_log (relation_name, as_of, horizon, loaded_from, loaded_through, cutoff,"
        " invocation_id, environment)"
        " select %s, d, d, now(), now(), '2020-01-01', 'x', 'prod'"
        " from (select cast(now() at time zone 'UTC' as date) - %s::integer as d) as day",
        [relation, days],
    )
