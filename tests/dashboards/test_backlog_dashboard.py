"""The dashboard of the backlog: open tasks by day and age, against plain Python over the operational tables."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from support import reports_by_hand as by_hand
from support.dashboards.dashboard_scenario import ALL, HOSPITAL, OPEN, STORES, found, open_reader, rows
from support.dashboards.plans import plan, scans
from support.reports.statuses_by_hand import backlog
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.dashboards.query import bound, statement
from orchestration.dashboards.question import Asked, Question, normal_parameters
from orchestration.dashboards.reader import Reader
from orchestration.warehouse.connection import connect
from orchestration.warehouse.names import Names
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

CUTOFF = date(2024, 1, 2)  # 730 days before 2026-01-01
LAST = SAMPLE_AS_OF - timedelta(days=1)
ROLES = ["auditor", "analyst"]
Counts = dict[tuple[Any, ...], int]


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    return Warehouse.copy_of(built_sample, "backlog_dashboard", postgres, settings)


@pytest.fixture(scope="module")
def reader(warehouse: Warehouse) -> Reader:
    return open_reader(warehouse)


@pytest.fixture(scope="module")
def counted(warehouse: Warehouse) -> Counts:
    """Return open tasks by organization, day, domain, severity, visibility and band, from the status events."""
    with connect(warehouse.admin_url) as connection:
        tasks = by_hand.read_tasks(connection, warehouse.settings, SAMPLE_AS_OF, CUTOFF)
    return backlog(tasks, CUTOFF, SAMPLE_AS_OF)


@pytest.mark.parametrize(
    "asked",
    [
        (HOSPITAL, ALL, {}),
        (HOSPITAL, OPEN, {"days": 366}),
        (HOSPITAL, ("RESTRICTED",), {"days": 1}),
        (STORES, ALL, {"days": 90, "severities": "MAJOR,CRITICAL"}),
        (STORES, OPEN, {"days": 7, "domain": "maintenance"}),
    ],
)
def test_it_has_the_open_tasks_of_each_day_by_age(
    warehouse: Warehouse, reader: Reader, counted: Counts, asked: tuple[str, Any, dict[str, Any]]
) -> None:
    slug, sees, parameters = asked
    mine = warehouse.value("select id from organizations where slug = %s", slug)
    first = SAMPLE_AS_OF - timedelta(days=parameters.get("days", 28))
    severities = parameters.get("severities", "MINOR,MODERATE,MAJOR,CRITICAL").split(",")
    by_day, by_domain = Counter[tuple[str, str]](), Counter[tuple[str, str, str]]()
    for (organization, day, domain, severity, visibility, age), count in counted.items():
        if (organization, day >= first, visibility in sees, severity in severities) == (
            mine,
            True,
            True,
            True,
        ) and parameters.get("domain", domain) == domain:
            by_day[day.isoformat(), age] += count
            if day == LAST:
                by_domain[domain, severity, age] += count
    assert by_day
    answer = reader.ask(Asked("backlog", slug, sees, parameters=parameters), ROLES)
    shown = rows(answer, "by_day")
    assert {(r["day"], r["age"]): r["tasks"] for r in shown} == by_day
    assert [(r["day"], r["age"]) for r in shown] == sorted(by_day)
    now = rows(answer, "by_domain")
    assert {(r["domain"], r["severity"], r["age"]): r["tasks"] for r in now} == by_domain
    assert [r["tasks"] for r in now] == sorted(by_domain.values(), reverse=True)


def test_days_after_the_horizon_and_before_the_report_are_none(reader: Reader, counted: Counts) -> None:
    days = {day for _, day, *_ in counted}
    assert (min(days), max(days)) >= (CUTOFF, LAST)
    shown = rows(reader.ask(Asked("backlog", HOSPITAL, ALL), ROLES), "by_day")
    assert (shown[0]["day"], shown[-1]["day"]) == ("2025-12-04", "2025-12-31")


def test_a_question_reads_the_spans_of_its_period_by_the_index(warehouse: Warehouse) -> None:
    mine = warehouse.value("select id from organizations where slug = %s", HOSPITAL)
    # A history of 60,000 spans that ended before the period.
    warehouse.execute(
        "insert into insights.report_task_backlog (organization_id, domain, severity, visibility, age_band, first_day,"
        " last_day, min_age_days, open_count, loaded_at)"
        f" select '{mine}', 'domain ' || n % 100, 'MINOR', 'PUBLIC', '0-1', day::date, day::date, 0, 1, now()"
        " from generate_series(1, 100) as n cross join generate_series(date '2024-02-01', date '2025-09-22',"
        " interval '1 day') as day; analyze insights.report_task_backlog"
    )
    dashboard = found()["backlog"]
    question = Question(
        environment=warehouse.settings.environment,
        dashboard="backlog",
        organization_id=str(mine),
        form="plain",
        visibilities=ALL,
        parameters=normal_parameters(dashboard, {}),
        min_group_size=None,
        definition="",
    )
    with connect(warehouse.reader_url) as connection:
        text = statement(dashboard, "plain", Names.of(warehouse.settings)).text
        node = plan(connection, text, bound(dashboard, question))
    read = [scan for scan in scans(node) if scan.get("Relation Name") == "report_task_backlog"]
    assert len(read) == len(dashboard.meta.panels)
    for scan in read:
        assert "last_day >=" in str(scan.get("Recheck Cond") or scan.get("Index Cond"))
        assert 0 < scan["Actual Rows"] + scan["Rows Removed by Filter"] < 1000
