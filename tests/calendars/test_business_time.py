"""Business time against plain Python: two years around each clock change, minute by minute, and random durations."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from support.calendars.hours_by_hand import Calendar, Clock, clock_changes, seeds
from support.calendars.random_work import (
    CALENDARS,
    END,
    PAIRS,
    START,
    ZONES,
    event,
    organizations,
    slug_of,
    tasks_of,
)
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

LOADED_FROM, LOADED_TO = datetime(2024, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
# The marts of business times, their keys beside the organization, and what their durations run from.
MARTS = {
    "fact_task_business_times": "task_id",
    "fact_task_status_business_times": "status_id",
    "fact_case_business_times": "case_id",
}
MODELS = ("int_business_calendars", "int_business_intervals", *MARTS)
NO_VIEWS = ("--exclude", "config.materialized:view")  # the built sample has them
RUN = ("--select", *(f"+{model}" for model in MODELS), *NO_VIEWS)


@pytest.fixture(scope="module")
def clocks() -> dict[tuple[str, str], Clock]:
    return {(zone, name): Clock.of(CALENDARS[name], zone, START, END) for zone, name in PAIRS}


@pytest.fixture(scope="module")
def counted(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    """Return the sample with an organization for each zone and calendar, and the random tasks and cases in each."""
    warehouse = Warehouse.copy_of(built_sample, "business_time", postgres, settings)
    warehouse.execute(organizations())
    warehouse.execute(seeds(CALENDARS, [(slug_of(zone, name), name, zone) for zone, name in PAIRS]))
    built = warehouse.build(*RUN, command="run")
    assert built.succeeded, built.output[-2000:]
    return warehouse


@pytest.mark.parametrize("zone", ZONES)
def test_the_zones_have_the_clock_changes_that_they_are_chosen_for(zone: str) -> None:
    assert len(clock_changes(zone, date(2025, 1, 1), date(2027, 1, 1))) == ZONES[zone]


@pytest.mark.parametrize("zone", ZONES)
def test_open_stretches_are_what_clocks_show(
    counted: Warehouse, clocks: dict[tuple[str, str], Clock], zone: str
) -> None:
    start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (START, END))
    for name in CALENDARS:
        rows = counted.rows(
            "select opens_at, closes_at, open_seconds_before from insights_staging.int_business_intervals"
            " where timezone = %s and calendar = %s order by opens_at",
            *(zone, name),
        )
        inside = [(max(a, start), min(b, end)) for a, b, _before in rows if a < end and b > start]
        assert inside == clocks[zone, name].stretches(), name
        total = 0
        for opens_at, closes_at, before in rows:
            assert before == total
            total += int((closes_at - opens_at).total_seconds())
    always = counted.rows(
        "select opens_at, closes_at from insights_staging.int_business_intervals"
        " where timezone = %s and calendar = 'always'",
        zone,
    )
    assert always == [(LOADED_FROM, LOADED_TO)]


@pytest.mark.parametrize("zone", ZONES)
def test_business_durations_are_the_open_part_of_each_duration(
    counted: Warehouse, clocks: dict[tuple[str, str], Clock], zone: str
) -> None:
    for name in CALENDARS:
        rows = counted.rows(
            "select d.created_at, f.time_to_first_response_seconds, f.time_to_completion_seconds,"
            " b.business_seconds_to_first_response, b.business_seconds_to_completion,"
            " b.business_hours_to_completion"
            " from insights.fact_tasks as f inner join insights.dim_tasks as d using (organization_id, task_id)"
            " left join insights.fact_task_business_times as b using (organization_id, task_id)"
            " where f.organization_id = md5(%s)::uuid",
            slug_of(zone, name),
        )
        clock = clocks[zone, name]
        assert len(rows) == len(list(tasks_of(zone)))
        for created, response, completion, *stored, hours in rows:
            expected = [clock.business_seconds(created, response), clock.business_seconds(created, completion)]
            assert stored == expected, (name, created)
            assert hours is None or abs(float(hours) * 3600 - stored[1]) <= 18
        closed = [row for row in rows if row[2] is not None]
        assert (name == "always") == all(row[2] == row[4] for row in closed)


@pytest.mark.parametrize("zone", ZONES)
def test_business_times_of_statuses_and_cases_are_the_open_part_of_their_durations(
    counted: Warehouse, clocks: dict[tuple[str, str], Clock], zone: str
) -> None:
    for name in CALENDARS:
        clock, count = clocks[zone, name], len(list(tasks_of(zone)))
        statuses = counted.rows(
            "select f.started_at, f.duration_seconds, b.business_seconds, b.business_hours"
            " from insights.fact_task_statuses as f"
            " left join insights.fact_task_status_business_times as b using (organization_id, status_id)"
            " where f.organization_id = md5(%s)::uuid",
            slug_of(zone, name),
        )
        cases = counted.rows(
            "select d.opened_at, extract(epoch from d.closed_at - d.opened_at)::numeric, f.time_to_close_seconds,"
            " f.time_to_close_hours, b.business_seconds_to_close, b.business_hours_to_close"
            " from insights.fact_cases as f inner join insights.dim_cases as d using (organization_id, case_id)"
            " left join insights.fact_case_business_times as b using (organization_id, case_id)"
            " where f.organization_id = md5(%s)::uuid",
            slug_of(zone, name),
        )
        closed = sum(row[1] is not None for row in cases)
        assert len(cases) == count > closed > count / 4
        # Each task has three statuses, and a fourth when it is closed; the last one has no duration.
        assert len(statuses) == 3 * count + closed
        assert sum(row[1] is not None for row in statuses) == 2 * count + closed
        for _opened, took, seconds, hours, *_business in cases:
            assert seconds == (None if took is None else int(took))
            assert hours is None or abs(float(hours) * 3600 - seconds) <= 18
        for began, seconds, stored, hours in statuses + [(row[0], row[2], *row[4:]) for row in cases]:
            assert stored == clock.business_seconds(began, seconds), (name, began)
            assert (hours is None) == (stored is None)
            assert hours is None or abs(float(hours) * 3600 - stored) <= 18
            assert name != "always" or stored == seconds


@pytest.mark.parametrize(
    ("mart", "fact"), list(zip(MARTS, ("fact_tasks", "fact_task_statuses", "fact_cases"), strict=True))
)
def test_only_organizations_with_a_calendar_have_business_times(counted: Warehouse, mart: str, fact: str) -> None:
    assert (
        counted.value(
            f"select count(*) from insights.{mart} where organization_id not in"
            " (select organization_id from insights_staging.int_business_calendars)"
        )
        == 0
    )
    assert counted.value(
        f"select count(*) from insights.{fact} where organization_id in (select organization_id from"
        " insights_staging.int_business_calendars)"
    ) == counted.value(f"select count(*) from insights.{mart}")


def _versions(warehouse: Warehouse) -> dict[Any, set[tuple[str, Any, str]]]:
    found: dict[Any, set[tuple[str, Any, str]]] = {}
    for mart, key in MARTS.items():
        for organization, value, version in warehouse.rows(
            f"select o.slug, b.{key}, b.xmin::text from insights.{mart} as b"
            " inner join organizations as o on o.id = b.organization_id"
        ):
            found.setdefault(organization, set()).add((mart, value, version))
    return found


def _durations(warehouse: Warehouse, slug: str) -> dict[str, list[tuple[datetime, int | None, int | None]]]:
    """Return the start, the seconds and the business seconds of the rows of an organization, by mart."""
    joined = {
        "fact_task_business_times": "d.created_at, f.time_to_completion_seconds, b.business_seconds_to_completion"
        " from insights.fact_tasks as f inner join insights.dim_tasks as d using (organization_id, task_id)",
        "fact_task_status_business_times": "f.started_at, f.duration_seconds, b.business_seconds"
        " from insights.fact_task_statuses as f",
        "fact_case_business_times": "d.opened_at, f.time_to_close_seconds, b.business_seconds_to_close"
        " from insights.fact_cases as f inner join insights.dim_cases as d using (organization_id, case_id)",
    }
    return {
        mart: warehouse.rows(
            f"select {joined[mart]} inner join insights.{mart} as b using (organization_id, {key})"
            " where b.organization_id = md5(%s)::uuid",
            slug,
        )
        for mart, key in MARTS.items()
    }


def test_a_load_writes_what_changed_and_a_changed_calendar_its_organizations(
    counted: Warehouse, clocks: dict[tuple[str, str], Clock]
) -> None:
    before = _versions(counted)
    assert {mart for rows in before.values() for mart, _key, _version in rows} == set(MARTS)
    assert counted.build(*RUN, command="run").succeeded
    assert _versions(counted) == before

    # The office of New York gets a holiday of its own, and that of Kolkata loses its calendar.
    own = Calendar(CALENDARS["office"].weekdays, CALENDARS["office"].holidays | {date(2025, 6, 3): []})
    kept = [pair for pair in PAIRS if pair not in (("America/New_York", "office"), ("Asia/Kolkata", "office"))]
    new_york, kolkata = slug_of("America/New_York", "office"), slug_of("Asia/Kolkata", "office")
    assigned = [(slug_of(zone, name), name, zone) for zone, name in kept] + [(new_york, "own", "America/New_York")]
    counted.execute(seeds(CALENDARS | {"own": own}, assigned))
    built = counted.build(*RUN, command="run")
    assert built.succeeded, built.output[-2000:]
    after = _versions(counted)
    assert {slug for slug in before if before[slug] != after.get(slug)} == {new_york, kolkata}
    assert kolkata not in after
    clock = Clock.of(own, "America/New_York", START, END)
    for mart, rows in _durations(counted, new_york).items():
        assert rows
        for began, seconds, stored in rows:
            assert stored == clock.business_seconds(began, seconds), mart

    # A task and a case that move to another organization count by that one's hours, and only there.
    always = slug_of("UTC", "always")
    for table, key in (("tasks", f"{new_york} 0"), ("cases", f"case {new_york} 0")):
        counted.execute(
            f"update {table} set organization_id = md5('{always}')::uuid, updated_at = '2025-12-31 20:00+00'"
            f" where id = md5('{key}')::uuid"
        )
    counted.execute(
        f"update task_events set organization_id = md5('{always}')::uuid where task_id = md5('{new_york} 0')::uuid"
    )
    before = after
    assert counted.build(*RUN, command="run").succeeded
    after = _versions(counted)
    assert {slug for slug in before if before[slug] != after[slug]} == {new_york, always}
    left, came = (
        {row[:2] for row in one[slug]} - {row[:2] for row in other[slug]}
        for one, other, slug in ((before, after, new_york), (after, before, always))
    )
    assert left == came
    assert {mart for mart, _key in left} == set(MARTS)
    for rows in _durations(counted, always).values():
        assert all(seconds == stored for _began, seconds, stored in rows)


def test_a_status_that_a_late_event_removes_loses_its_business_time(counted: Warehouse) -> None:
    run = ("--select", "+fact_task_status_business_times", *NO_VIEWS)
    slug = slug_of("Pacific/Auckland", "office")
    numbers = "select status_number from insights.fact_task_statuses where task_id = %s order by 1"
    task, status, created = counted.rows(
        "select task_id, current_status, created_at from insights.dim_tasks where organization_id = md5(%s)::uuid"
        " and closed_at is null order by task_id limit 1",
        slug,
    )[0]
    assert (status, counted.rows(numbers, task)) == ("IN_PROGRESS", [(1,), (2,), (3,)])
    # By an earlier event the task was on hold from the beginning, so that the change to it begins nothing.
    counted.execute(
        event(f"'{task}'", slug, ("ON_HOLD", "ON_HOLD"), created)
        + f"update tasks set updated_at = '2025-12-31 21:00+00' where id = '{task}'"
    )
    assert counted.build(*run, command="run").succeeded
    assert counted.rows(numbers, task) == [(1,), (2,)]
    rows = counted.rows(
        "select f.status_number, f.duration_seconds is null, b.business_seconds is null from"
        " insights.fact_task_statuses as f full join insights.fact_task_status_business_times as b"
        " using (organization_id, status_id, task_id) where task_id = %s order by 1",
        task,
    )
    assert rows == [(1, False, False), (2, True, True)]
