"""Limits in business time on the sample: breaches and tasks at risk against plain Python, load after load."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from support import reports_by_hand as by_hand
from support.calendars.hours_by_hand import Calendar, Clock, seeds
from support.operational_rows import Row
from support.warehouse import Warehouse

from orchestration.config.deployment.calendars import FOLDER
from orchestration.config.files import PROJECT, Settings
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

# The built sample has the views.
RUN = ("--select", "+report_sla_breaches", "+report_tasks_at_risk", "--exclude", "config.materialized:view")
CUTOFF = date(2024, 1, 2)  # 730 days before the first load; what leaves retention later stays until a purge
YEARS = (date(2024, 1, 1), date(2028, 1, 1))
STORED = """
    select organization_id, day, domain, visibility, limits_in, reactivity_decided, reactivity_breaches,
        completion_decided, completion_breaches
    from insights.report_sla_breaches
"""
IN_BUSINESS = ("retail_chain", "friend_group")
Source = dict[str, list[Row]]  # the rows of the operational tables
Verdicts = dict[tuple[Any, str], bool | None]


def _shipped() -> tuple[dict[str, Calendar], list[tuple[str, str, str]]]:
    """Return the shipped calendars by name, and slug, calendar and zone of each organization."""
    found: dict[str, Calendar] = defaultdict(lambda: Calendar({}, {}))
    for line in _lines("hours"):
        found[line["calendar"]].weekdays.setdefault(line["weekday"], []).append((line["opens"], line["closes"]))
    for line in _lines("holidays"):
        hours = found[line["calendar"]].holidays.setdefault(date.fromisoformat(line["day"]), [])
        hours += [(line["opens"], line["closes"])] if line["opens"] else []
    return found, [(line["organization_slug"], line["calendar"], line["timezone"]) for line in _lines("calendars")]


def _lines(name: str) -> list[dict[str, str]]:
    with (PROJECT / FOLDER / f"business_{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    """Return the sample, in which the profiles of stores and clubs count their limits in business time."""
    profiles = settings.profiles | {
        code: settings.profiles[code].model_copy(update={"limits_in": "business"}) for code in IN_BUSINESS
    }
    return Warehouse.copy_of(
        built_sample, "business_limits", postgres, dataclasses.replace(settings, profiles=profiles)
    )


@pytest.fixture(scope="module")
def clocks(warehouse: Warehouse) -> dict[Any, Clock]:
    return _clocks(warehouse, *_shipped())


def _clocks(
    warehouse: Warehouse, calendars: dict[str, Calendar], assigned: list[tuple[str, str, str]]
) -> dict[Any, Clock]:
    ids = dict(warehouse.rows("select slug, id from organizations"))
    return {ids[slug]: Clock.of(calendars[name], zone, *YEARS) for slug, name, zone in assigned}


@pytest.fixture(scope="module")
def source(warehouse: Warehouse) -> Source:
    """Return the rows of the operational tables, which no test of this file changes."""
    with connect(warehouse.admin_url) as connection:
        return by_hand.read_rows(connection)


def _verdicts(
    warehouse: Warehouse, clocks: dict[Any, Clock], tasks: list[by_hand.Task], day: date
) -> tuple[Verdicts, Verdicts]:
    """Return whether each task broke each limit, by task and kind of limit: on `day`, and a day later."""
    chosen = dict(warehouse.rows("select organization_id, profile_code from organization_profiles"))
    overrides = warehouse.settings.insights.patterns.overrides_by_domain
    end, today, tomorrow = datetime.combine(day, time(), UTC), dict[Any, Any](), dict[Any, Any]()
    for task in tasks:
        code = overrides.get(task.domain) or chosen.get(task.organization_id, warehouse.settings.default_profile_key)
        profile = warehouse.settings.profiles[code]
        clock = clocks.get(task.organization_id) if code in IN_BUSINESS else None
        took = [task.first_response, task.completion]
        if clock:
            took = [clock.business_seconds(task.created_at, seconds) for seconds in took]
        for kind, limit, known in (
            ("first_response", profile.reactivity_seconds, [s for s in took if s is not None]),
            ("completion", profile.max_escalation_seconds, [s for s in took[1:] if s is not None]),
        ):
            for found, now in ((today, end), (tomorrow, end + timedelta(days=1))):
                found[task.task_id, kind] = min(known) > limit if known else _is_late(task, clock, now, limit)
    return today, tomorrow


def _is_late(task: by_hand.Task, clock: Clock | None, now: datetime, limit: int) -> bool | None:
    """Return whether a task without a known duration is open for longer than the limit; None if that is undecided."""
    if task.closed_at is not None:
        return None
    age = now - task.created_at
    if clock:
        age = timedelta(microseconds=clock.microseconds(now) - clock.microseconds(task.created_at))
    return True if age > timedelta(seconds=limit) else None


def _expected(tasks: list[by_hand.Task], verdicts: Verdicts) -> dict[tuple[Any, ...], list[int]]:
    table: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for task in tasks:
        key = (task.organization_id, task.created_at.astimezone(UTC).date(), task.domain, task.visibility)
        for place, kind in ((0, "first_response"), (2, "completion")):
            verdict = verdicts[task.task_id, kind]
            table[key][place] += verdict is not None
            table[key][place + 1] += verdict is True
    return dict(table)


def _check(warehouse: Warehouse, source: Source, clocks: dict[Any, Clock], day: date) -> Counter[str]:
    """Compare the report and the tasks at risk; returns the number of compared tasks at risk by kind of clock."""
    tasks = by_hand.tasks_of(source, warehouse.settings, day, CUTOFF)
    today, tomorrow = _verdicts(warehouse, clocks, tasks, day)
    rows = warehouse.rows(STORED)
    assert {row[:4]: list(row[5:]) for row in rows} == _expected(tasks, today)
    business = {row[0] for row in rows if row[4] == "business"}
    assert business == set(clocks)
    at_risk = {key for key, verdict in tomorrow.items() if verdict and today[key] is None}
    stored = warehouse.rows(
        "select organization_id, task_id, limit_kind from insights.report_tasks_at_risk where limit_kind <> 'deadline'"
    )
    assert {row[1:] for row in stored} == at_risk
    return Counter("business" if row[0] in clocks else "wall_clock" for row in stored)


def test_breaches_and_risks_follow_open_hours_load_after_load(
    warehouse: Warehouse, source: Source, clocks: dict[Any, Clock]
) -> None:
    at_risk: Counter[str] = Counter()
    # Up to the last day of the sample, two days later, and after the weekend that follows.
    for day in (SAMPLE_AS_OF, date(2026, 1, 3), date(2026, 1, 5)):
        built = warehouse.build(*RUN, command="run", as_of=day)
        assert built.succeeded, built.output[-2000:]
        at_risk += _check(warehouse, source, clocks, day)
    assert at_risk["business"] and at_risk["wall_clock"]

    # A month later: a changed calendar reaches the breaches of all its days.
    calendars, assigned = _shipped()
    shorter = Calendar({"Tuesday": [("10:00", "11:00")], "Thursday": [("10:00", "11:30")]})
    warehouse.execute(seeds(calendars | {"shop": shorter}, assigned))
    built = warehouse.build(*RUN, command="run", as_of=date(2026, 2, 4))
    assert built.succeeded, built.output[-2000:]
    _check(warehouse, source, _clocks(warehouse, calendars | {"shop": shorter}, assigned), date(2026, 2, 4))


def test_the_sample_has_business_times_and_the_documented_query_averages_them(
    built: Warehouse, source: Source, clocks: dict[Any, Clock]
) -> None:
    slugs = dict(built.rows("select id, slug from organizations"))
    sums: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for task in by_hand.tasks_of(source, built.settings, SAMPLE_AS_OF, CUTOFF):
        if task.organization_id in clocks and task.completion is not None:
            seconds = clocks[task.organization_id].business_seconds(task.created_at, task.completion)
            assert seconds is not None
            sums[slugs[task.organization_id]].append((task.completion, seconds))
    rows = built.rows(_documented_queries()[0])
    assert [row[:2] for row in rows] == [(slug, len(sums[slug])) for slug in sorted(sums)]
    for slug, _count, mean, business in rows:
        for shown, place in ((mean, 0), (business, 1)):
            exact = sum(pair[place] for pair in sums[slug]) / len(sums[slug]) / 3600
            assert abs(float(shown) - exact) <= 0.05


def test_the_documented_query_of_statuses_adds_up_their_open_time(built: Warehouse, clocks: dict[Any, Clock]) -> None:
    slugs = dict(built.rows("select id, slug from organizations"))
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for organization, status, began, ended in built.rows(
        "select organization_id, status, started_at, ended_at from insights.fact_task_statuses"
        " where status not in ('COMPLETED', 'FAILED', 'CANCELLED')"
    ):
        if organization in clocks and ended is not None:
            seconds = (ended - began) // timedelta(seconds=1)
            business = clocks[organization].business_seconds(began, seconds)
            assert business is not None
            for place, value in enumerate((seconds, business)):
                sums[slugs[organization], status][place] += value
    rows = built.rows(_documented_queries()[1])
    assert [row[:2] for row in rows] == sorted(sums)
    for slug, status, *shown in rows:
        for value, exact in zip(shown, sums[slug, status], strict=True):
            assert abs(float(value) - exact / 3600) <= 0.05
    assert {slug for slug, _status in sums} == {slugs[organization] for organization in clocks}


def _documented_queries() -> list[str]:
    return re.findall(r"```sql\n(.*?)```", (PROJECT / "docs/business-time.md").read_text("utf-8"), re.S)
