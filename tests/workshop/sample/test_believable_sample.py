"""The dashboards of the sample show organizations that could exist: two years of work, most deadlines kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from statistics import mean, median
from typing import Any

import pytest
from support.dashboards.dashboard_scenario import HOSPITAL, OPEN, STORES, found, open_reader, rows
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings
from orchestration.dashboards.question import Asked
from orchestration.dashboards.reader import Reader
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

CLUB = "sample-walking-club"
ACTIVE = (HOSPITAL, STORES, CLUB)
# Whole months within 730 days before 2026-01-01, which is how long the demo's environment keeps them.
MONTHS = [date(2024 + n // 12, n % 12 + 1, 1).isoformat() for n in range(1, 24)]
KEEP_MONTHS: dict[str, Any] = {"aggregated_retention_days": dict.fromkeys(("dev", "staging", "prod", "offline"), 730)}
BAD_MONTH = "2025-02-01"


@pytest.fixture(scope="module")
def reader(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Iterator[Reader]:
    with disposable_copy(built_sample, "believable", postgres, settings) as warehouse:
        _keep_all_months(warehouse)
        reader = open_reader(warehouse)
        yield reader
        reader.close()


def _keep_all_months(warehouse: Warehouse) -> None:
    names = ("int_monthly_trends", "report_monthly_trends")
    result = warehouse.build("--select", *names, command="run", **KEEP_MONTHS)
    assert result.succeeded, result.output[-2000:]


def ask(reader: Reader, name: str, slug: str, panel: str, **parameters: str) -> list[dict[str, Any]]:
    return rows(reader.ask(Asked(name, slug, OPEN, parameters=parameters), ["manager"]), panel)


def months(reader: Reader, slug: str) -> list[dict[str, Any]]:
    return ask(reader, "monthly_trends", slug, "by_month", months="24")


@pytest.mark.parametrize("slug", ACTIVE)
def test_each_dashboard_has_rows(reader: Reader, slug: str) -> None:
    empty = {
        (name, panel)
        for name, dashboard in found().items()
        for panel in dashboard.meta.panels
        if not ask(reader, name, slug, panel)
    }
    # On the evening of the sample, only the stores have tasks that are about to be late.
    calm = {("tasks_at_risk", "by_domain"), ("tasks_at_risk", "tasks")} if slug != STORES else set()
    # The profile friend_group has no weekly review.
    assert empty == calm | ({("open_patterns", "weekly"), ("overview", "patterns")} if slug == CLUB else set())


@pytest.mark.parametrize(("slug", "least", "most"), [(HOSPITAL, 80, 95), (STORES, 75, 90), (CLUB, 80, 95)])
def test_most_deadlines_and_limits_are_kept(reader: Reader, slug: str, least: float, most: float) -> None:
    (total,) = ask(reader, "profile_score", slug, "total")
    assert least <= total["score"] <= most
    for domain in ask(reader, "profile_score", slug, "by_domain"):
        assert least - 10 <= domain["score"] <= most + 5, domain["domain"]
    (limits,) = ask(reader, "overview", slug, "limits")
    for kind in ("reactivity", "completion"):
        assert 0 < limits[f"{kind}_breaches"] <= 0.25 * limits[f"{kind}_decided"]
    statuses = {row["status"]: row["tasks"] for row in ask(reader, "overview", slug, "tasks")}
    assert statuses["COMPLETED"] >= 0.7 * sum(statuses.values())
    assert statuses["PENDING"] > 0


@pytest.mark.parametrize("slug", ACTIVE)
def test_the_trends_cover_two_years_without_a_growing_backlog(reader: Reader, slug: str) -> None:
    trend = months(reader, slug)
    assert [row["month"] for row in trend] == MONTHS
    assert all(0 < row["missed"] < row["deadlines"] for row in trend)
    assert max(row["backlog"] for row in trend) <= max(row["opened"] for row in trend)
    assert mean(row["backlog"] for row in trend[-6:]) < 2 * mean(row["backlog"] for row in trend[:6])


def test_the_hospital_has_one_bad_month(reader: Reader) -> None:
    shares = {row["month"]: row["missed"] / row["deadlines"] for row in months(reader, HOSPITAL)}
    bad = shares.pop(BAD_MONTH)
    assert bad > 2 * median(shares.values())
    assert bad > 1.5 * max(shares.values())


def test_the_stores_improve(reader: Reader) -> None:
    trend = months(reader, STORES)

    def missed(part: list[dict[str, Any]]) -> float:
        counts = [(row["missed"], row["deadlines"]) for row in part]
        return float(sum(missed for missed, _ in counts) / sum(deadlines for _, deadlines in counts))

    half_years = [missed(trend[first : first + 6]) for first in (0, 6, 12, 17)]
    assert half_years == sorted(half_years, reverse=True)
    assert half_years[-1] < 0.6 * half_years[0]


def test_each_organization_has_its_seasons_and_its_week(reader: Reader) -> None:
    opened = {slug: {row["month"]: row["opened"] for row in months(reader, slug)} for slug in ACTIVE}
    december, july = "2025-12-01", "2025-07-01"
    assert opened[STORES][december] > 1.5 * mean(opened[STORES].values())
    assert opened[CLUB][july] < 0.6 * mean(opened[CLUB].values())  # winter in New Zealand
    by_weekday = {slug: _by_weekday(reader, slug) for slug in ACTIVE}
    assert by_weekday[HOSPITAL][5] < mean(by_weekday[HOSPITAL][:5])
    assert max(by_weekday[STORES]) == by_weekday[STORES][5]
    assert by_weekday[CLUB][5] > 2 * mean(by_weekday[CLUB][:4])


def _by_weekday(reader: Reader, slug: str) -> list[int]:
    counts = [0] * 7
    for row in ask(reader, "task_volume", slug, "by_day", days="366"):
        counts[date.fromisoformat(row["day"]).weekday()] += row["tasks"]
    return counts
