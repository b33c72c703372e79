"""The date of a run, `as_of`, comes from its data interval or from its parameter."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.exceptions import ParamValidationError
from support.airflow import airflow_dags

from orchestration.dags.clock import interval_end, run_as_of
from orchestration.errors import InsightsError


def test_the_clock_of_a_run_is_the_end_of_its_interval(prod: dict[str, airflow_dags.DAG]) -> None:
    # The Monday run of 5 January 2026 at 03:00, by the timetable itself.
    info = airflow_dags.first_run(prod["insights_weekly_pattern_review"], "2026-01-02")
    monday = datetime(2026, 1, 5, 3, tzinfo=UTC)
    assert (info.run_after, info.data_interval.end) == (monday + timedelta(days=7), monday + timedelta(days=7))
    context: Any = {"params": {"as_of": None}, "data_interval_end": info.data_interval.end}
    assert run_as_of(context) == date(2026, 1, 12)


def test_the_clock_of_a_run_is_its_utc_date() -> None:
    new_york = datetime.fromisoformat("2026-01-04T22:30:00-05:00")
    context: Any = {"params": {}, "data_interval_end": new_york}
    assert run_as_of(context) == date(2026, 1, 5)


def test_the_parameter_is_the_clock() -> None:
    context: Any = {"params": {"as_of": "2025-12-24"}, "data_interval_end": datetime(2026, 1, 5, tzinfo=UTC)}
    assert run_as_of(context) == date(2025, 12, 24)


@pytest.mark.parametrize("asked", ["2026-02-30", "24.12.2025", "", 20251224])
def test_a_clock_that_is_no_date_is_refused(asked: object, prod: dict[str, airflow_dags.DAG]) -> None:
    context: Any = {"params": {"as_of": asked}, "data_interval_end": datetime(2026, 1, 5, tzinfo=UTC)}
    with pytest.raises(InsightsError, match=re.escape(f"as_of is {asked!r}; it must be a date like 2026-01-31")):
        run_as_of(context)
    with pytest.raises(ParamValidationError):
        prod["insights_daily_events_load"].params["as_of"] = asked


@pytest.mark.parametrize(
    ("dag_id", "interval_ended"),
    [
        ("insights_daily_events_load", datetime(2026, 1, 8, 2, tzinfo=UTC)),
        ("insights_weekly_pattern_review", datetime(2026, 1, 5, 3, tzinfo=UTC)),
        ("insights_yearly_systemic_review", datetime(2026, 1, 1, 5, tzinfo=UTC)),
    ],
)
def test_a_run_without_an_interval_has_that_of_the_last_one_that_ended(dag_id: str, interval_ended: datetime) -> None:
    # As Airflow 3 makes them without a logical date: this one on a Thursday.
    run = SimpleNamespace(dag_id=dag_id, run_after=datetime.fromisoformat("2026-01-08T12:00:00+01:00"))
    context: Any = {"params": {}, "dag_run": run}
    assert interval_end(context) == interval_ended
    assert run_as_of(context) == interval_ended.date()
