"""Business time against plain Python: two years around each clock change, minute by minute, and random durations."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from support.calendars.hours_by_hand import Calendar, Clock, clock_changes, seeds
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

START, END = date(2024, 12, 1), date(2027, 2, 1)
LOADED_FROM, LOADED_TO = datetime(2024, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Clocks change by an hour in the night, by half an hour, at midnight, in the south, never.
ZONES = {
    "Europe/Bucharest": 4,
    "America/New_York": 4,
    "Australia/Lord_Howe": 4,
    "America/Santiago": 4,
    "Pacific/Auckland": 4,
    "Asia/Kolkata": 0,
    "UTC": 0,
}
CALENDARS = {
    # A break, hours that touch; holidays on a closed Saturday, on a working day, shorter, and on a Sunday with hours.
    "office": Calendar(
        {day: [("08:30", "12:00"), ("12:00", "12:30"), ("13:00", "17:45")] for day in WEEK[:5]},
        {
            date(2025, 11, 1): [],
            date(2025, 11, 2): [],
            date(2025, 12, 25): [],
            date(2025, 12, 24): [("08:30", "11:00")],
            date(2025, 11, 30): [("10:00", "12:00"), ("14:00", "16:00")],
            date(2026, 3, 8): [("01:30", "03:30")],
        },
    ),
    # Through midnight on every day, and through each gap and each repeated hour.
    "night": Calendar({day: [("00:00", "06:00"), ("22:00", "24:00")] for day in WEEK}),
    # Hours that begin or end within the gap or the repeated hour, or lie within it.
    "edges": Calendar(
        {day: [("01:15", "01:45"), ("02:30", "02:50"), ("03:10", "03:20"), ("23:20", "23:40")] for day in WEEK[5:]}
    ),
    "always": Calendar({day: [("00:00", "24:00")] for day in WEEK}),
}
PAIRS = [(zone, name) for zone in ZONES for name in CALENDARS]
MODELS = ("int_business_calendars", "int_business_intervals", "fact_task_business_times")


@pytest.fixture(scope="module")
def clocks() -> dict[tuple[str, str], Clock]:
    return {(zone, name): Clock.of(CALENDARS[name], zone, START, END) for zone, name in PAIRS}


def _slug(zone: str, name: str) -> str:
    return f"{name}-{zone}".lower().replace("/", "-")


def _tasks(zone: str) -> Iterator[tuple[datetime, datetime | None, datetime | None]]:
    """Yield creation, response and closing of tasks: at random, and within two days of each clock change."""
    rng = random.Random(zone)  # noqa: S311 -- the same tasks in each run
    changes = clock_changes(zone, date(2025, 1, 1), date(2026, 1, 1))
    near = [change + timedelta(minutes=rng.randrange(-2880, 2880)) for change in changes for _ in range(15)]
    spread = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(360 * 86400)) for _ in range(30)]
    for moment in near + spread:
        created = moment + timedelta(microseconds=rng.choice((0, 1, 500_000, 999_999)))
        took = [timedelta(seconds=rng.choice((1, 59, 3600, 86400, 7 * 86400)) * rng.random() * 2) for _ in range(2)]
        yield created, rng.choice((None, created + took[0])), rng.choice((None, created + took[1]))


@pytest.fixture(scope="module")
def counted(postgres: LocalPostgres, settings: Settings, prepared_sample: str) -> Warehouse:
    """Return a warehouse with an organization for each zone and calendar, and the random tasks in each."""
    warehouse = Warehouse.copy_of(prepared_sample, "business_time", postgres, settings)
    statements = []
    for zone, name in PAIRS:
        slug = _slug(zone, name)
        statements.append(
            "insert into organizations (id, slug, display_name, timezone, created_at, updated_at) values"
            f" (md5('{slug}')::uuid, '{slug}', '{slug}', 'UTC', '2024-01-01', '2024-01-01');"
        )
        for number, (created, responded, closed) in enumerate(_tasks(zone)):
            task = f"md5('{slug} {number}')::uuid"
            status, closing = ("COMPLETED", f"'{closed}'") if closed else ("IN_PROGRESS", "null")
            statements.append(
                "insert into tasks (id, organization_id, type, category, label, title, status, priority, severity,"
                " visibility, source, created_at, updated_at, closed_at) values"
                f" ({task}, md5('{slug}')::uuid, 'generic', 'request', '11.11.HR', 'Task-Title', '{status}', 'HIGH',"
                f" 'MINOR', 'INTERNAL', 'api', '{created}', '{created}', {closing});"
            )
            if responded:
                statements.append(
                    "insert into task_comments (id, task_id, body, created_at, updated_at) values"
                    f" (gen_random_uuid(), {task}, 'SECRET-BODY', '{responded}', '{responded}');"
                )
    warehouse.execute("".join(statements))
    assert warehouse.build(command="seed").succeeded
    warehouse.execute(seeds(CALENDARS, [(_slug(zone, name), name, zone) for zone, name in PAIRS]))
    built = warehouse.build("--select", *(f"+{model}" for model in MODELS), command="run")
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
            _slug(zone, name),
        )
        clock = clocks[zone, name]
        assert len(rows) == len(list(_tasks(zone)))
        for created, response, completion, *stored, hours in rows:
            expected = [clock.business_seconds(created, response), clock.business_seconds(created, completion)]
            assert stored == expected, (name, created)
            assert hours is None or abs(float(hours) * 3600 - stored[1]) <= 18
        closed = [row for row in rows if row[2] is not None]
        assert (name == "always") == all(row[2] == row[4] for row in closed)


def test_only_organizations_with_a_calendar_have_business_times(counted: Warehouse) -> None:
    assert (
        counted.value(
            "select count(*) from insights.fact_task_business_times where organization_id not in"
            " (select organization_id from insights_staging.int_business_calendars)"
        )
        == 0
    )
    assert counted.value(
        "select count(*) from insights.fact_tasks where organization_id in (select organization_id from"
        " insights_staging.int_business_calendars)"
    ) == counted.value("select count(*) from insights.fact_task_business_times")


def _versions(warehouse: Warehouse) -> dict[Any, set[tuple[Any, str]]]:
    found: dict[Any, set[tuple[Any, str]]] = {}
    for organization, task, version in warehouse.rows(
        "select o.slug, b.task_id, b.xmin::text from insights.fact_task_business_times as b"
        " inner join organizations as o on o.id = b.organization_id"
    ):
        found.setdefault(organization, set()).add((task, version))
    return found


def test_a_load_writes_what_changed_and_a_changed_calendar_its_organizations(
    counted: Warehouse, clocks: dict[tuple[str, str], Clock]
) -> None:
    run = ("--select", *(f"+{model}" for model in MODELS))
    before = _versions(counted)
    assert counted.build(*run, command="run").succeeded
    assert _versions(counted) == before

    # The office of New York gets a holiday of its own, and that of Kolkata loses its calendar.
    own = Calendar(CALENDARS["office"].weekdays, CALENDARS["office"].holidays | {date(2025, 6, 3): []})
    kept = [pair for pair in PAIRS if pair not in (("America/New_York", "office"), ("Asia/Kolkata", "office"))]
    new_york, kolkata = _slug("America/New_York", "office"), _slug("Asia/Kolkata", "office")
    assigned = [(_slug(zone, name), name, zone) for zone, name in kept] + [(new_york, "own", "America/New_York")]
    counted.execute(seeds(CALENDARS | {"own": own}, assigned))
    built = counted.build(*run, command="run")
    assert built.succeeded, built.output[-2000:]
    after = _versions(counted)
    assert {slug for slug in before if before[slug] != after.get(slug)} == {new_york, kolkata}
    assert kolkata not in after
    clock = Clock.of(own, "America/New_York", START, END)
    for created, seconds, stored in counted.rows(
        "select d.created_at, f.time_to_completion_seconds, b.business_seconds_to_completion"
        " from insights.fact_task_business_times as b"
        " inner join insights.fact_tasks as f using (organization_id, task_id)"
        " inner join insights.dim_tasks as d using (organization_id, task_id) where b.organization_id = md5(%s)::uuid",
        new_york,
    ):
        assert stored == clock.business_seconds(created, seconds)

    # A task that moves to another organization counts by that one's hours, and only there.
    moved = counted.value("select md5(%s)::uuid", f"{new_york} 0")
    counted.execute(
        f"update tasks set organization_id = md5('{_slug('UTC', 'always')}')::uuid, updated_at = '2025-12-31 20:00+00'"
        f" where id = '{moved}'"
    )
    assert counted.build(*run, command="run").succeeded
    rows = counted.rows(
        "select calendar, time_to_completion_seconds, business_seconds_to_completion from"
        " insights.fact_task_business_times inner join insights.fact_tasks using (organization_id, task_id)"
        " where task_id = %s",
        moved,
    )
    assert [(row[0], row[1] == row[2]) for row in rows] == [("always", True)]
