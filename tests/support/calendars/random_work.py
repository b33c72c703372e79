"""Organizations on the clocks of several zones, with tasks and cases at random and around each clock change."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from support.calendars.hours_by_hand import Calendar, clock_changes

START, END = date(2024, 12, 1), date(2027, 2, 1)
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
STATUSES = ("PENDING", "ON_HOLD", "IN_PROGRESS")


def slug_of(zone: str, name: str) -> str:
    return f"{name}-{zone}".lower().replace("/", "-")


def tasks_of(zone: str) -> Iterator[tuple[datetime, datetime | None, datetime | None]]:
    """Yield creation, response and closing of tasks: at random, and within two days of each clock change."""
    rng = random.Random(zone)  # noqa: S311 -- the same tasks in each run
    changes = clock_changes(zone, date(2025, 1, 1), date(2026, 1, 1))
    near = [change + timedelta(minutes=rng.randrange(-2880, 2880)) for change in changes for _ in range(15)]
    spread = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(360 * 86400)) for _ in range(30)]
    for moment in near + spread:
        created = moment + timedelta(microseconds=rng.choice((0, 1, 500_000, 999_999)))
        took = [timedelta(seconds=rng.choice((1, 59, 3600, 86400, 7 * 86400)) * rng.random() * 2) for _ in range(2)]
        yield created, rng.choice((None, created + took[0])), rng.choice((None, created + took[1]))


def changes_of(created: datetime, closed: datetime | None) -> list[datetime]:
    """Return two moments at which the task changes its status, before it is closed."""
    took = min((closed or created + timedelta(days=9)) - created, timedelta(days=3, hours=7, microseconds=250_000))
    return [created + took / 3, created + took / 2]


def event(task: str, slug: str, statuses: tuple[str, ...], moment: datetime) -> str:
    """Return SQL that inserts the change from one status to another."""
    old, new = (f"jsonb_build_object('status', '{status}')" for status in statuses)
    return (
        "insert into task_events (id, task_id, organization_id, event_type, old_value, new_value, created_at) values"
        f" (gen_random_uuid(), {task}, md5('{slug}')::uuid, 'status_changed', {old}, {new}, '{moment}');"
    )


def organizations() -> str:
    """Return SQL that inserts an organization for each zone and calendar, and the tasks and cases in each."""
    statements = []
    for zone, name in PAIRS:
        slug = slug_of(zone, name)
        statements.append(
            "insert into organizations (id, slug, display_name, timezone, created_at, updated_at) values"
            f" (md5('{slug}')::uuid, '{slug}', '{slug}', 'UTC', '2024-01-01', '2024-01-01');"
        )
        for number, (created, responded, closed) in enumerate(tasks_of(zone)):
            task = f"md5('{slug} {number}')::uuid"
            status, closing = ("COMPLETED", f"'{closed}'") if closed else ("IN_PROGRESS", "null")
            statements.append(
                "insert into tasks (id, organization_id, type, category, label, title, status, priority, severity,"
                " visibility, source, created_at, updated_at, closed_at) values"
                f" ({task}, md5('{slug}')::uuid, 'generic', 'request', '11.11.HR', 'Task-Title', '{status}', 'HIGH',"
                f" 'MINOR', 'INTERNAL', 'api', '{created}', '{created}', {closing});"
            )
            for place, moment in enumerate(changes_of(created, closed)):
                statements.append(event(task, slug, STATUSES[place : place + 2], moment))
            statements.append(
                "insert into cases (id, organization_id, source_type, label, title, status, severity,"
                " origin_vertical_level, origin_role, created_at, updated_at) values"
                f" (md5('case {slug} {number}')::uuid, md5('{slug}')::uuid, 'api', '11.11.HR', 'Case-Title',"
                f" '{'resolved' if closed else 'open'}', 'MINOR', 11, 'HR', '{created}', '{closed or created}');"
            )
            if responded:
                statements.append(
                    "insert into task_comments (id, task_id, body, created_at, updated_at) values"
                    f" (gen_random_uuid(), {task}, 'SECRET-BODY', '{responded}', '{responded}');"
                )
    return "".join(statements)
