"""The routes that Orgo's own web client calls: its shapes, and figures counted in plain Python."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from support import reports_by_hand as by_hand
from support.api.client import BREACHES, OVERVIEW, ROUTES, SCORE, VOLUME, ask
from support.api.contract import check
from support.api.server import Api
from support.dashboards.dashboard_scenario import HOSPITAL

from workshop.sample.load import SAMPLE_AS_OF

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

HORIZON, CUTOFF = date(2026, 1, 1), date(2024, 1, 2)
END = datetime(2026, 1, 1, tzinfo=UTC)
OPEN = ("PUBLIC", "INTERNAL")
SEVERE = ("MAJOR", "CRITICAL")


@pytest.fixture(scope="module")
def tasks(api: Api) -> list[by_hand.Task]:
    """Return the tasks of the hospital that a teacher may see, read from the operational tables."""
    with psycopg.connect(api.warehouse.admin_url) as connection:
        found = by_hand.read_tasks(connection, api.warehouse.settings, SAMPLE_AS_OF, CUTOFF)
    id_ = api.organization(HOSPITAL)
    return [t for t in found if str(t.organization_id) == id_ and t.visibility in OPEN]


def data(api: Api, path: str, query: str = "") -> Any:
    got = ask(api, path, query)
    assert got.status == 200, got.body
    assert (got.json["ok"], got.json["error"]) == (True, None)
    assert got.json["meta"]["left_out"] == 0
    return got.json["data"]


def day_of(task: by_hand.Task) -> date:
    return task.created_at.astimezone(UTC).date()


def created(tasks: list[by_hand.Task], first: date, last: date = HORIZON) -> list[by_hand.Task]:
    return [t for t in tasks if first <= day_of(t) <= last]


def is_decided(task: by_hand.Task) -> bool:
    return task.deadline_at is not None and (task.closed_at is not None or task.deadline_at < END)


def is_missed(task: by_hand.Task) -> bool:
    return is_decided(task) and (task.closed_at is None or task.closed_at > task.deadline_at)  # type: ignore[operator]


def domains(tasks: list[by_hand.Task], is_breach: Any = is_missed) -> dict[str, tuple[int, int]]:
    """Return decided and missed deadlines by domain."""
    decided = Counter(t.domain for t in tasks if is_decided(t))
    missed = Counter(t.domain for t in tasks if is_breach(t))
    return {domain: (count, missed[domain]) for domain, count in decided.items()}


def shown(rows: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    for row in rows:
        assert row["breachRate"] == pytest.approx(row["breachedTasks"] / row["totalTasks"], abs=0.0001)
    return {row["domainType"]: (row["totalTasks"], row["breachedTasks"]) for row in rows}


@pytest.mark.parametrize("path", ROUTES)
def test_the_answers_are_as_described(api: Api, document: dict[str, Any], path: str) -> None:
    for query in ("", "?view=tasks") if path == BREACHES else ("",):
        got = ask(api, path, query)
        check(document, path, got)
        assert got.json["meta"]["data_up_to"] == "2026-01-01"
        assert got.json["meta"]["visibilities"] == ["PUBLIC", "INTERNAL"]
        assert got.headers["cache-control"] == "private, max-age=300"


def test_volume_by_day_and_status(api: Api, tasks: list[by_hand.Task]) -> None:
    rows = data(api, VOLUME, "?window=90d")
    expected = Counter((day_of(t).isoformat(), t.status) for t in created(tasks, date(2025, 10, 3)))
    assert {(r["date"], r["status"]): r["count"] for r in rows} == expected
    assert all(
        (r["date_key"], r["value"], r["extra"]) == (r["date"], r["count"], {"status": r["status"]}) for r in rows
    )
    assert len(expected) > 50


@pytest.mark.parametrize(
    ("group", "attribute"), [("type", "domain"), ("priority", "priority"), ("severity", "severity")]
)
def test_volume_by_month_and_another_property(api: Api, tasks: list[by_hand.Task], group: str, attribute: str) -> None:
    rows = data(api, VOLUME, f"?startDate=2025-06-15T00:00:00Z&endDate=2025-11-30&granularity=month&groupBy={group}")
    counted = created(tasks, date(2025, 6, 15), date(2025, 11, 30))
    expected = Counter((day_of(t).replace(day=1).isoformat(), getattr(t, attribute)) for t in counted)
    assert {(r["date"], r["extra"][group]): r["count"] for r in rows} == expected
    assert all("status" not in r for r in rows)


def test_weeks_begin_on_monday(api: Api, tasks: list[by_hand.Task]) -> None:
    rows = data(api, VOLUME, "?granularity=week&window=365d")
    assert {date.fromisoformat(r["date"]).weekday() for r in rows} == {0}
    assert sum(r["count"] for r in rows) == len(created(tasks, date(2025, 1, 1)))


def test_volume_of_some_tasks_only(api: Api, tasks: list[by_hand.Task]) -> None:
    domain = Counter(t.domain for t in tasks).most_common(1)[0][0]
    query = f"?window=all&statuses[]=COMPLETED&statuses[]=PENDING&severities=MAJOR,CRITICAL&domain={domain}"
    wanted = [t for t in tasks if t.status in ("COMPLETED", "PENDING") and t.severity in SEVERE and t.domain == domain]
    assert sum(r["count"] for r in data(api, VOLUME, query)) == len(wanted) > 0
    assert data(api, VOLUME, "?domain=no-such-domain") == []


def test_breaches_by_domain(api: Api, tasks: list[by_hand.Task]) -> None:
    recent = created(tasks, date(2025, 12, 2))
    assert shown(data(api, BREACHES)) == domains(recent)
    half = created(tasks, date(2025, 7, 5))
    severe = [t for t in half if t.severity in SEVERE]
    assert shown(data(api, BREACHES, "?window=180d&minSeverity=MAJOR")) == domains(severe)
    is_open = shown(data(api, BREACHES, "?window=180d&onlyOpen=true"))
    assert is_open == domains(half, lambda t: is_missed(t) and t.closed_at is None)
    assert sum(missed for _, missed in domains(half).values()) > sum(missed for _, missed in is_open.values()) > 0


def test_breaches_equal_the_report(api: Api) -> None:
    """The dashboard counts tasks; the report was counted by dbt."""
    counted = api.warehouse.rows(
        """
        select domain, sum(kept_count + missed_count), sum(missed_count) from insights.report_sla_breaches
        where organization_id = %s and visibility in ('PUBLIC', 'INTERNAL') group by 1
        having sum(kept_count + missed_count) > 0
        """,
        api.organization(HOSPITAL),
    )
    assert shown(data(api, BREACHES, "?window=all")) == {domain: (total, missed) for domain, total, missed in counted}


def test_breaches_by_task(api: Api, tasks: list[by_hand.Task]) -> None:
    first, last = date(2025, 9, 1), date(2025, 12, 31)
    period = f"?view=tasks&from={first}&to={last}"
    missed = [t for t in created(tasks, first, last) if is_missed(t)]

    def seconds(found: list[by_hand.Task]) -> list[int]:
        return sorted(((t.closed_at or END) - t.deadline_at) // timedelta(seconds=1) for t in found)  # type: ignore[operator]

    rows = data(api, BREACHES, period)
    assert all(row["closed_at"] is None for row in rows)
    assert sorted(row["breach_seconds"] for row in rows) == seconds([t for t in missed if t.closed_at is None])
    rows = data(api, BREACHES, f"{period}&onlyOpen=false")
    assert sorted(row["breach_seconds"] for row in rows) == seconds(missed)
    assert len({row["task_id"] for row in rows}) == len(rows) > 10
    assert [row["breach_seconds"] for row in rows] == sorted((row["breach_seconds"] for row in rows), reverse=True)


def test_the_score_of_a_period(api: Api, tasks: list[by_hand.Task]) -> None:
    found = data(api, SCORE, "?window=90d")
    expected = domains(created(tasks, date(2025, 10, 3)))
    total, missed = (sum(column) for column in zip(*expected.values(), strict=True))
    assert shown(found["perDomain"]) == expected
    assert (found["overallTasks"], found["overallBreachedTasks"]) == (total, missed)
    assert found["overallScore"] == round(100 * (total - missed) / total, 2)
    assert (found["fromDate"], found["toDate"]) == ("2025-10-03", "2025-12-31")
    assert found["organizationId"] == api.organization(HOSPITAL)


def test_the_score_of_one_profile(api: Api) -> None:
    rows = api.warehouse.rows(
        """
        select profile_code, sum(kept_count + missed_count)::int from insights.report_sla_breaches
        where organization_id = %s and visibility in ('PUBLIC', 'INTERNAL') group by 1
        """,
        api.organization(HOSPITAL),
    )
    for code, decided in rows:
        for name in ("profile_code", "profileKey"):
            assert data(api, SCORE, f"?window=all&{name}={code}")["overallTasks"] == decided
    none = data(api, SCORE, "?profile_code=no-such-profile&from=2025-01-01&to=2025-01-31")
    assert (none["overallTasks"], none["overallScore"], none["perDomain"]) == (0, 100, [])
    assert (none["fromDate"], none["toDate"]) == ("2025-01-01", "2025-01-31")


@pytest.mark.parametrize("days", [7, 30, 90])
def test_the_overview_compares_two_periods(api: Api, tasks: list[by_hand.Task], days: int) -> None:
    found = data(api, OVERVIEW, f"?timeframe={days}d")
    begin = HORIZON - timedelta(days)
    now, before = created(tasks, begin), created(tasks, begin - timedelta(days), begin - timedelta(1))
    metric = {m["id"]: m for m in found["metrics"]}
    assert metric["tasks_created"]["value"] == len(now)
    assert metric["tasks_created"]["formattedValue"] == f"{len(now):,}"
    assert metric["tasks_created"]["changePercent"] == round(100 * (len(now) - len(before)) / len(before), 1)
    by_day = Counter(day_of(t) for t in now)
    assert [(t["date"], t["value"]) for t in found["primaryTrend"]] == [
        ((begin + timedelta(day)).isoformat(), by_day[begin + timedelta(day)]) for day in range(days)
    ]
    late, decided = api.warehouse.rows(
        """
        select sum(reactivity_breaches)::int, sum(reactivity_decided)::int from insights.report_sla_breaches
        where organization_id = %s and visibility in ('PUBLIC', 'INTERNAL') and day >= date '2026-01-01' - %s::int
        """,
        api.organization(HOSPITAL),
        days,
    )[0]
    assert metric["late_responses"]["value"] == late
    assert metric["late_response_share"]["value"] == round(100 * late / decided, 2)
    assert (found["timeframe"], found["generatedAt"]) == (
        f"{days}d",
        ask(api, OVERVIEW, f"?timeframe={days}d").json["meta"]["computed_at"],
    )
