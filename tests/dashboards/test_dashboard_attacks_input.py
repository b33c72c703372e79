"""Attempts to reach other rows through the values of a request to a dashboard. None succeeds."""

from __future__ import annotations

import pytest
import redis
from support.dashboards.dashboard_attacks import SQL
from support.dashboards.dashboard_scenario import HOSPITAL, OPEN, STORES
from support.warehouse import Warehouse

from orchestration.dashboards.question import Asked
from orchestration.dashboards.reader import Reader
from orchestration.errors import InsightsError

pytest_plugins = ["support.dashboards.cache_sessions"]
pytestmark = pytest.mark.services


@pytest.mark.parametrize(
    "organization",
    [*SQL, "", "%", "*", "sample-", "sample-hospital\0", "\ud800", "Sample-Hospital", "sample-hospital "],
)
def test_sql_wildcards_or_nothing_as_the_organization(reader: Reader, admin: redis.Redis, organization: str) -> None:
    with pytest.raises(InsightsError, match="There is no organization"):
        reader.ask(Asked("overview", organization, OPEN), ["teacher"])
    assert admin.keys("*:entry:*") == []


def test_ids_of_organizations_that_are_not_there_fill_no_cache(admin: redis.Redis, reader: Reader) -> None:
    for number in range(5):
        with pytest.raises(InsightsError, match="There is no organization"):
            reader.ask(Asked("overview", f"00000000-0000-4000-8000-00000000000{number}", OPEN), ["teacher"])
    reader.close()
    assert admin.keys("*") == [b"insights:dev:counters"]


@pytest.mark.parametrize("text", SQL)
def test_sql_in_parameters_visibilities_and_names(warehouse: Warehouse, reader: Reader, text: str) -> None:
    before = warehouse.value("select count(*) from insights.fact_tasks")
    tries = [
        Asked("task_volume", HOSPITAL, OPEN, parameters={"days": text}),
        Asked("task_volume", HOSPITAL, OPEN, parameters={"days": f"7 {text}"}),
        Asked("task_volume", HOSPITAL, OPEN, parameters={"severities": [text]}),
        Asked("task_volume", HOSPITAL, OPEN, parameters={"severities": f"MAJOR{text}"}),
        Asked("task_volume", HOSPITAL, OPEN, parameters={text: 7}),
        Asked("monthly_trends", HOSPITAL, OPEN, parameters={"until": f"2025-11{text}"}),
        Asked("task_volume", HOSPITAL, [text]),
        Asked("task_volume", HOSPITAL, [f"PUBLIC{text}"]),
        Asked(text, HOSPITAL, OPEN),
        Asked(f"task_volume{text}", HOSPITAL, OPEN),
    ]
    for request in tries:
        with pytest.raises(InsightsError):
            reader.ask(request, ["teacher"])
    assert warehouse.value("select count(*) from insights.fact_tasks") == before


@pytest.mark.parametrize(
    "name", ["insights.fact_tasks", "fact_tasks", "open_patterns:entry", "Task_Volume", "task_volume\n", "", "*"]
)
def test_a_name_that_is_no_dashboard(reader: Reader, name: str) -> None:
    with pytest.raises(InsightsError, match="There is no dashboard"):
        reader.ask(Asked(name, HOSPITAL, OPEN), ["teacher"])


@pytest.mark.parametrize(
    "parameters", [{"organization": STORES}, {"visibilities": "RESTRICTED"}, {"min_group_size": 1}]
)
def test_a_parameter_that_would_take_the_place_of_a_bound(reader: Reader, parameters: dict[str, object]) -> None:
    with pytest.raises(InsightsError, match="has no parameter"):
        reader.ask(Asked("open_patterns", HOSPITAL, is_anonymised=True, parameters=parameters), ["analyst"])


@pytest.mark.parametrize("days", [0, -1, 367, 10**9, "9" * 400, float("inf"), [28]])
def test_a_parameter_outside_its_bounds(reader: Reader, days: object) -> None:
    with pytest.raises(InsightsError, match="a whole number from 1 to 366"):
        reader.ask(Asked("task_volume", HOSPITAL, OPEN, parameters={"days": days}), ["teacher"])
