"""The analyst's questions run as the read-only role, and their answers equal a count of the operational tables."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Any

import pytest
from support.operational_rows import Row
from support.readers import add_reader, largest_organizations, reader_of, remove_reader
from support.reports.statuses_by_hand import CLOSED, OPEN
from support.reports_by_hand import Task, read_tasks
from support.warehouse import Warehouse, connect_as

from orchestration.config.files import PROJECT, Settings
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

QUESTIONS = dict(
    re.findall(
        r"^### (\d+)\. [^\n]*\n\n```sql\n(.*?)```", (PROJECT / "docs/analyst.md").read_text("utf-8"), re.M | re.S
    )
)
CUTOFF = date(2024, 1, 2)  # 730 days before the sample's as_of
CATEGORIES = dict(
    line.split(",")[:2] for line in (PROJECT / "seeds/label_categories.csv").read_text("utf-8").splitlines()[1:]
)
SEVERE = ("MAJOR", "CRITICAL")
Answer = list[tuple[Any, ...]]


class World:
    """The operational tables of the sample, and the tasks that the facts have."""

    def __init__(self, warehouse: Warehouse) -> None:
        with connect(warehouse.admin_url) as connection:
            self.tasks = read_tasks(connection, warehouse.settings, SAMPLE_AS_OF, CUTOFF)
        self.slugs: dict[str, str] = dict(warehouse.rows("select id::text, slug from organizations"))
        self.table: Callable[[str], list[Row]] = lambda name: [
            row
            for (row,) in warehouse.rows(f"select to_jsonb(t) from public.{name} as t")  # noqa: S608
        ]
        self.loaded = {  # rejected rows are none of the questions' matter
            kind: {str(key) for (key,) in warehouse.rows(f"select {kind}_id from insights.{fact}")}  # noqa: S608
            for kind, fact in (("case", "fact_cases"), ("checkin", "fact_wellbeing_checkins"))
        }

    def slug(self, row: Task | Row) -> str:
        """Return the slug of the organization of a row."""
        owner = row.organization_id if isinstance(row, Task) else row["organization_id"]
        return self.slugs[str(owner)]


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    return Warehouse.copy_of(built_sample, "analyst", postgres, settings)


@pytest.fixture(scope="module")
def world(warehouse: Warehouse) -> World:
    return World(warehouse)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _counted(keys: Iterable[tuple[Any, ...]]) -> Answer:
    return [(*key, number) for key, number in Counter(keys).items()]


def _weeks(world: World) -> Answer:
    def week(task: Task) -> str:
        year, number, _ = _day(task.created_at).isocalendar()
        return f"{year}-W{number:02}"

    return _counted((world.slug(t), week(t)) for t in world.tasks)


def _flow(world: World) -> Answer:
    created = Counter((world.slug(t), _day(t.created_at).replace(day=1)) for t in world.tasks)
    closed = Counter((world.slug(t), _day(t.closed_at).replace(day=1)) for t in world.tasks if t.closed_at)
    return [(*key, created[key], closed[key]) for key in created.keys() | closed.keys()]


def _responses(world: World) -> Answer:
    found = defaultdict(list)
    for task in world.tasks:
        found[world.slug(task), task.domain].append(task.first_response)
    known = {key: [s for s in seconds if s is not None] for key, seconds in found.items()}
    return [(*key, len(seconds), median(seconds) if seconds else None) for key, seconds in known.items()]


def _is_open(task: Task, day: date) -> bool:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return any(s.name in OPEN and s.start < midnight and (s.end is None or s.end >= midnight) for s in task.statuses)


def _ages(world: World) -> Answer:
    last = SAMPLE_AS_OF - timedelta(days=1)
    bands = (("over 30", 31), ("8-30", 8), ("2-7", 2), ("0-1", 0))
    ages = [(world.slug(t), (last - _day(t.created_at)).days) for t in world.tasks if _is_open(t, last)]
    counted = Counter((slug, next(name for name, least in bands if age >= least)) for slug, age in ages)
    return [(*key, number) for key, number in counted.items()]


def _severe(world: World) -> Answer:
    days = [date(2025, 12, n) for n in range(1, 32)]
    severe = [t for t in world.tasks if t.severity in SEVERE]
    counted = Counter((world.slug(t), day) for t in severe for day in days if _is_open(t, day))
    return [(*key, number) for key, number in counted.items()]


def _roles(world: World) -> Answer:
    roles = {(r["organization_id"], r["code"]): r["display_name"] for r in world.table("roles")}
    assigned = {t["id"]: t["assignee_role"] for t in world.table("tasks")}
    names = []
    for task in world.tasks:
        code, owner = assigned[str(task.task_id)], str(task.organization_id)
        name = roles.get((owner, code), roles.get((None, code)))
        if name is not None and task.closed_at is None:
            names.append((world.slug(task), name))
    return _counted(names)


def _reopened(world: World) -> Answer:
    found = defaultdict(list)
    for task in world.tasks:
        found[world.slug(task), task.domain].append([s.start for s in task.statuses if s.is_reopening])
    return [
        (*key, sum(map(bool, starts)), sum(map(len, starts)), max((m for own in starts for m in own), default=None))
        for key, starts in found.items()
    ]


def _waiting(world: World) -> Answer:
    found = defaultdict(list)
    for task in world.tasks:
        for status in task.statuses:
            if status.name in OPEN and status.end is not None:
                found[world.slug(task), status.name].append((status.end - status.start) // timedelta(seconds=1))
    return [(*key, len(seconds), sum(seconds)) for key, seconds in found.items()]


def _categories(world: World) -> Answer:
    return _counted(
        (world.slug(t), CATEGORIES[str(t.label_category)] if t.label_category else None)
        for t in world.tasks
        if _day(t.created_at) >= date(2025, 1, 1)
    )


def _deadlines(world: World) -> Answer:
    due = [t for t in world.tasks if t.deadline_at and date(2025, 1, 1) <= _day(t.deadline_at) < date(2025, 12, 1)]
    found = defaultdict(list)
    for task in due:
        month = _day(task.deadline_at or task.created_at).replace(day=1)
        found[world.slug(task), month].append(
            bool(task.closed_at and task.closed_at <= (task.deadline_at or datetime.max))
        )
    return [(*key, sum(kept), len(kept)) for key, kept in found.items()]


def _wellbeing(world: World) -> Answer:
    found = defaultdict(list)
    for row in world.table("wellbeing_checkins"):
        if row["id"] in world.loaded["checkin"]:
            month = _day(datetime.fromisoformat(row["created_at"])).replace(day=1)
            found[world.slug(row), month].append(row["score"])
    return [(*key, len(scores), sum(scores), _mean(scores)) for key, scores in found.items()]


def _mean(scores: list[int]) -> Decimal:
    return (Decimal(sum(scores)) / len(scores)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _cases(world: World) -> Answer:
    found = defaultdict(list)
    for row in world.table("cases"):
        if row["id"] in world.loaded["case"] and row["status"].strip().lower() in ("open", "in_progress"):
            found[world.slug(row)].append(row["severity"].strip().upper())
    return [(slug, len(severities)) for slug, severities in found.items()]


COUNTED: dict[str, Callable[[World], Answer]] = {
    **{"1": _weeks, "2": _flow, "3": _responses, "4": _ages, "5": _severe, "6": _roles, "7": _reopened},
    **{"8": _waiting, "9": _categories, "10": _deadlines, "11": _wellbeing, "12": _cases},
}


def test_there_are_twelve_questions() -> None:
    assert list(QUESTIONS) == list(COUNTED) == [str(n) for n in range(1, 13)]


@pytest.mark.parametrize("number", COUNTED)
def test_an_answer_equals_a_count_of_the_operational_tables(warehouse: Warehouse, world: World, number: str) -> None:
    with connect_as(warehouse.reader_url) as reader:
        found = reader.execute(QUESTIONS[number]).fetchall()
    if number == "12":  # the second number depends on today
        assert all(0 < row[2] <= row[1] for row in found)
        found = [row[:2] for row in found]
    expected = COUNTED[number](world)
    assert len(expected) > (2 if number == "12" else 5)
    assert sorted(map(_plain, found), key=str) == sorted(map(_plain, expected), key=str)


def test_a_reader_of_one_organization_asks_the_same_and_gives_the_day_of_the_fifth(
    warehouse: Warehouse, world: World
) -> None:
    ((organization, slug), _) = largest_organizations(warehouse)
    add_reader(warehouse, slug)
    try:
        with connect_as(warehouse.postgres.url(warehouse.name, reader_of(warehouse, organization))) as reader:
            given = f"with counted as (select date '{SAMPLE_AS_OF - timedelta(days=1)}' as last_day)"
            questions = {**QUESTIONS, "5": re.sub(r"with counted as \(.*?\n\)", given, QUESTIONS["5"], flags=re.S)}
            assert [number for number, text in questions.items() if text != QUESTIONS[number]] == ["5"]
            answers = {number: reader.execute(text).fetchall() for number, text in questions.items()}
    finally:
        remove_reader(warehouse, organization)
    assert {row[0] for rows in answers.values() for row in rows} == {slug}
    for number in ("1", "5"):
        expected = [row for row in COUNTED[number](world) if row[0] == slug]
        assert sorted(map(_plain, answers[number]), key=str) == sorted(map(_plain, expected), key=str)


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row whose numbers compare with those of Python."""
    return tuple(float(value) if hasattr(value, "as_tuple") or isinstance(value, int) else value for value in row)


def test_closed_tasks_are_in_no_answer_about_open_ones(world: World) -> None:
    assert any(task.status in CLOSED for task in world.tasks)
