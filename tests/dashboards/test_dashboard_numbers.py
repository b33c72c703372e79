"""What each dashboard says, against plain Python over the operational tables and the stored reviews."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any

import pytest
from support import reports_by_hand as by_hand
from support.dashboards.dashboard_scenario import ALL, HOSPITAL, OPEN, STORES, found, open_reader, rows
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.dashboards.question import Asked
from orchestration.dashboards.reader import Reader
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

CUTOFF = date(2024, 1, 2)  # 730 days before 2026-01-01
MONTHS = [date(2025, 11, 1), date(2025, 12, 1)]  # dev keeps 90 days of months, so October is not whole
MONDAY = date(2025, 12, 29)
FIRST = date(2026, 1, 1)
ROLES = ["auditor", "analyst"]
CLIENTS = [(HOSPITAL, ALL), (HOSPITAL, OPEN), (STORES, ("RESTRICTED",)), (STORES, ("PUBLIC",))]
CADENCES = {"weekly": MONDAY, "monthly": FIRST, "yearly": FIRST}


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    return Warehouse.copy_of(built_sample, "dashboards", postgres, settings)


@pytest.fixture(scope="module")
def reader(warehouse: Warehouse) -> Reader:
    return open_reader(warehouse)


@pytest.fixture(scope="module")
def tasks(warehouse: Warehouse) -> list[by_hand.Task]:
    with connect(warehouse.admin_url) as connection:
        return by_hand.read_tasks(connection, warehouse.settings, SAMPLE_AS_OF, CUTOFF)


def organization(warehouse: Warehouse, slug: str) -> Any:
    return warehouse.value("select id from organizations where slug = %s", slug)


def ratio(part: int, whole: int, places: int, times: int = 1) -> float | None:
    return float(round(times * part / whole + 1e-12, places)) if whole else None


def grouped(items: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found


@pytest.mark.parametrize(("slug", "sees"), CLIENTS)
def test_task_volume(warehouse: Warehouse, reader: Reader, tasks: list[by_hand.Task], slug: str, sees: Any) -> None:
    mine = organization(warehouse, slug)
    parameters = {"days": 50, "severities": "CRITICAL,MINOR"}
    answer = reader.ask(Asked("task_volume", slug, sees, parameters=parameters), ROLES)
    counted = [
        t
        for t in tasks
        if t.organization_id == mine
        and t.visibility in sees
        and t.severity in ("CRITICAL", "MINOR")
        and t.created_at.date() >= SAMPLE_AS_OF - timedelta(days=50)
    ]
    assert counted
    by_day = Counter((t.created_at.date().isoformat(), t.status) for t in counted)
    assert {(r["day"], r["status"]): r["tasks"] for r in rows(answer, "by_day")} == by_day
    by_domain = Counter((t.domain, t.priority, t.severity) for t in counted)
    shown = rows(answer, "by_domain")
    assert {(r["domain"], r["priority"], r["severity"]): r["tasks"] for r in shown} == by_domain
    assert [r["tasks"] for r in shown] == sorted(by_domain.values(), reverse=True)


def breaches(rows_by_hand: dict[Any, Any], mine: Any, sees: Any, days: int) -> list[Any]:
    first = SAMPLE_AS_OF - timedelta(days=days)
    return [(k, v) for k, v in rows_by_hand.items() if k[1] == mine and k[0] >= first and k[3] in sees]


def limits(found: list[Any]) -> dict[str, Any]:
    total, decided, broken, closings, late = (sum(values[place] for _, values in found) for place in range(1, 6))
    return {
        "tasks": total,
        "reactivity_decided": decided,
        "reactivity_breaches": broken,
        "reactivity_share": ratio(broken, decided, 4),
        "completion_decided": closings,
        "completion_breaches": late,
        "completion_share": ratio(late, closings, 4),
    }


@pytest.mark.parametrize(("slug", "sees"), CLIENTS)
def test_sla_breaches(warehouse: Warehouse, reader: Reader, tasks: list[by_hand.Task], slug: str, sees: Any) -> None:
    mine = organization(warehouse, slug)
    chosen = dict(warehouse.rows("select organization_id, profile_code from organization_profiles"))
    table = by_hand.sla_breaches(tasks, SAMPLE_AS_OF, warehouse.settings, chosen)
    counted = breaches(table, mine, sees, 28)
    answer = reader.ask(Asked("sla_breaches", slug, sees), ROLES)
    expected = [
        {"domain": domain, "profile": profile} | limits(found)
        for (domain, profile), found in grouped(counted, lambda row: (row[0][2], row[1][0])).items()
    ]
    assert counted
    assert sorted(rows(answer, "by_domain"), key=str) == sorted(expected, key=str)
    days = grouped(counted, lambda row: row[0][0])
    assert rows(answer, "by_day") == [{"day": day.isoformat()} | limits(days[day]) for day in sorted(days)]


def trends(tasks: list[by_hand.Task], mine: Any, sees: Any, months: list[date]) -> list[Any]:
    table = by_hand.monthly_trends([t for t in tasks if t.organization_id == mine], months)
    return [(key, values) for key, values in table.items() if key[7] in sees]


@pytest.mark.parametrize(("slug", "sees"), CLIENTS)
@pytest.mark.parametrize(
    ("parameters", "months"),
    [({}, MONTHS), ({"months": 1}, MONTHS[1:]), ({"months": 1, "until": "2025-11"}, MONTHS[:1])],
)
def test_monthly_trends(  # noqa: PLR0913, PLR0917
    warehouse: Warehouse,
    reader: Reader,
    tasks: list[by_hand.Task],
    slug: str,
    sees: Any,
    parameters: dict[str, Any],
    months: list[date],
) -> None:
    counted = trends(tasks, organization(warehouse, slug), sees, months)
    answer = reader.ask(Asked("monthly_trends", slug, sees, parameters=parameters), ROLES)

    def counts(found: list[Any]) -> dict[str, Any]:
        opened, closed, backlog, due, missed = (sum(v[place] for _, v in found) for place in (0, 1, 2, 7, 8))
        share = ratio(missed, due, 4)
        return {
            **{"opened": opened, "closed": closed, "backlog": backlog},
            **{"deadlines": due, "missed": missed, "missed_share": share},
        }

    by_month = grouped(counted, lambda row: row[0][0])
    assert rows(answer, "by_month") == [{"month": m.isoformat()} | counts(by_month[m]) for m in sorted(by_month)]
    assert sorted(by_month) == months
    by_domain = grouped(counted, lambda row: (row[0][0].isoformat(), row[0][4], row[0][6]))
    assert rows(answer, "by_domain") == [
        {"month": month, "domain": domain, "severity": severity} | counts(by_domain[month, domain, severity])
        for month, domain, severity in sorted(by_domain)
    ]


@pytest.mark.parametrize(("slug", "sees"), CLIENTS)
def test_profile_score(warehouse: Warehouse, reader: Reader, tasks: list[by_hand.Task], slug: str, sees: Any) -> None:
    mine = organization(warehouse, slug)
    chosen = dict(warehouse.rows("select organization_id, profile_code from organization_profiles"))
    overrides = warehouse.settings.insights.patterns.overrides_by_domain
    counted = [
        (key[1], values)
        for key, values in by_hand.profile_scores(tasks, SAMPLE_AS_OF).items()
        if key[0] == mine and key[2] in sees
    ]

    def score(found: list[Any]) -> dict[str, Any]:
        kept, missed = (sum(values[place] for _, values in found) for place in (2, 3))
        due = kept + missed
        return {"deadlines": due, "kept": kept, "score": ratio(kept, due, 2, 100)}

    answer = reader.ask(Asked("profile_score", slug, sees), ROLES)
    expected = [
        {"domain": domain, "profile": overrides.get(domain) or chosen[mine]} | score(found)
        for domain, found in grouped(counted, lambda row: row[0]).items()
    ]
    assert sorted(rows(answer, "by_domain"), key=str) == sorted(expected, key=str)
    assert rows(answer, "total") == [score(counted)]
    assert score(counted)["deadlines"]


def stored(warehouse: Warehouse, cadence: str, slug: str) -> list[dict[str, Any]]:
    """Return every row of an organization in a review's table."""
    with connect(warehouse.admin_url) as connection:
        cursor = connection.execute(f"select to_jsonb(p) from insights.pattern_{cadence} as p")  # noqa: S608
        found = [row for (row,) in cursor.fetchall()]
    mine = str(organization(warehouse, slug))
    return [row for row in found if row["organization_id"] == mine]


@pytest.mark.parametrize(("slug", "sees"), CLIENTS)
@pytest.mark.parametrize("kinds", [None, "incident_frequency,needs_attention"])
def test_open_patterns(warehouse: Warehouse, reader: Reader, slug: str, sees: Any, kinds: str | None) -> None:
    answer = reader.ask(Asked("open_patterns", slug, sees, parameters={"kinds": kinds}), ROLES)
    for cadence, day in CADENCES.items():
        expected = {
            row["pattern_id"]: (row["kind"], row["label"], row["severity"], row["event_count"], row["visible_sources"])
            for row in stored(warehouse, cadence, slug)
            if row["review_date"] == day.isoformat()
            and row["visibility"] in sees
            and row["kind"] in (kinds or row["kind"])
        }
        found = rows(answer, cadence)
        assert {
            r["pattern_id"]: (r["kind"], r["label"], r["severity"], r["cases"], r["sources"]) for r in found
        } == expected


@pytest.mark.parametrize("slug", [HOSPITAL, STORES])
@pytest.mark.parametrize("least", [3, 5])
def test_the_anonymised_form_of_open_patterns(warehouse: Warehouse, slug: str, least: int) -> None:
    answer = open_reader(warehouse, exports__min_group_size=least).ask(
        Asked("open_patterns", slug, is_anonymised=True), ["analyst"]
    )
    counted = 0
    for cadence, day in CADENCES.items():
        large = [
            row
            for row in stored(warehouse, cadence, slug)
            if row["review_date"] == day.isoformat()
            and min(row["event_count"], row["distinct_sources"] or row["event_count"]) >= least
        ]
        groups = grouped(large, lambda row: (row["kind"], row["domain"], row["severity"]))
        assert {
            (r["kind"], r["domain"], r["severity"]): (r["patterns"], r["cases_at_least"]) for r in rows(answer, cadence)
        } == {
            key: (len(found), sum(row["event_count"] // least * least for row in found))
            for key, found in groups.items()
        }
        counted += len(large)
    assert counted


@pytest.mark.parametrize(("slug", "sees"), CLIENTS)
def test_overview_is_of_the_others(warehouse: Warehouse, reader: Reader, slug: str, sees: Any) -> None:
    overview = reader.ask(Asked("overview", slug, sees, parameters={"days": 60}), ROLES)
    volume = reader.ask(Asked("task_volume", slug, sees, parameters={"days": 60}), ROLES)
    by_status: Counter[str] = Counter()
    for row in rows(volume, "by_day"):
        by_status[row["status"]] += row["tasks"]
    assert {r["status"]: r["tasks"] for r in rows(overview, "tasks")} == by_status
    score = reader.ask(Asked("profile_score", slug, sees), ROLES)
    assert rows(overview, "deadlines") == rows(score, "total")
    broken = reader.ask(Asked("sla_breaches", slug, sees, parameters={"days": 60}), ROLES)
    (one,) = rows(overview, "limits")
    assert {name: one[name] for name in one if "share" not in name} == {
        name: sum(row[name] for row in rows(broken, "by_domain")) for name in one if "share" not in name
    }
    weekly = [
        row
        for row in stored(warehouse, "weekly", slug)
        if row["review_date"] == MONDAY.isoformat() and row["visibility"] in sees
    ]
    assert {(r["kind"], r["severity"]): (r["patterns"], r["new"], r["cases"]) for r in rows(overview, "patterns")} == {
        key: (len(found), sum(row["is_new"] for row in found), sum(row["event_count"] for row in found))
        for key, found in grouped(weekly, lambda row: (row["kind"], row["severity"])).items()
    }


def test_a_review_that_found_nothing_closes_the_patterns_before_it(built: Warehouse, warehouse: Warehouse) -> None:
    """Take the horizon's review as the newest, whether or not it found anything."""
    built.execute("""
        insert into insights_ops.load_log
            (relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment)
        select relation_name, '2026-01-05', '2026-01-05', loaded_from, loaded_through, cutoff, 'a week later', 'dev'
        from insights_ops.load_log where relation_name = 'pattern_weekly'
    """)
    request = Asked("open_patterns", HOSPITAL)
    before = open_reader(warehouse).ask(request, ROLES)
    after = open_reader(built).ask(request, ROLES)
    assert rows(before, "weekly")
    assert rows(after, "weekly") == []
    assert rows(after, "yearly") == rows(before, "yearly") != []


def test_a_limit_says_how_many_rows_it_left_out(warehouse: Warehouse) -> None:
    dashboards = found()
    sla = dashboards["sla_breaches"]
    everything = rows(open_reader(warehouse).ask(Asked("sla_breaches", HOSPITAL), ROLES), "by_day")
    panel = sla.meta.panels["by_day"].model_copy(update={"limit": 3})
    short = sla.model_copy(update={"meta": sla.meta.model_copy(update={"panels": {"by_day": panel}})})
    answer = open_reader(warehouse, dashboards={"sla_breaches": short}).ask(Asked("sla_breaches", HOSPITAL), ROLES)
    assert json.loads(answer.entry.body)["by_day"] == {
        "horizon": "2026-01-01",
        "rows": everything[:3],
        "left_out": len(everything) - 3,
    }
