"""Status histories and the daily backlog against plain Python, on the sample and after each kind of change."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from support import reports_by_hand as by_hand
from support.operational_rows import Row
from support.reports.statuses_by_hand import backlog
from support.warehouse import DbtResult, Warehouse

from orchestration.config.files import Settings
from orchestration.retention.plan import load_plan
from orchestration.retention.purge import purge
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

Source = dict[str, list[Row]]  # the rows of the operational tables
CUTOFF = date(2024, 1, 2)  # 730 days before 2026-01-01
DAYS = 730
SUBJECT = "organization_id, domain, severity, visibility"
MODELS = (
    *("int_task_lifecycle", "int_task_statuses", "dim_tasks", "fact_tasks", "fact_task_statuses"),
    "report_task_backlog",
)
TESTS = ("assert_task_statuses_lead_to_the_facts", "assert_backlog_counts_open_tasks")
DAYS_OF_SPANS = """
    select organization_id, cast(days.day as date), domain, severity, visibility, age_band, open_count
    from insights.report_task_backlog
    cross join lateral generate_series(first_day, coalesce(last_day, date '{last}'), interval '1 day') as days (day)
"""
# Spans that overlap, that the next one continues, that have no day, or that end on the last day.
WRONG_SPANS = f"""
    select * from (
        select *, lead(first_day) over w as next_day, lead(open_count) over w as next_count
        from insights.report_task_backlog
        window w as (partition by {SUBJECT}, age_band order by first_day)
    ) as spans
    where coalesce(last_day, date '{{last}}') < first_day or last_day >= date '{{last}}'
        or next_day <= coalesce(last_day, date '{{last}}') or (next_day = last_day + 1 and next_count = open_count)
"""
SPANS = "select organization_id, domain, severity, visibility, age_band, first_day, last_day, open_count" + (
    " from insights.report_task_backlog"
)
# The spans of a task's subject that begin on the day of its creation count one task more or less.
MISCOUNT = """
    update insights.report_task_backlog as report set open_count = open_count {} 1
    from insights.dim_tasks as tasks
    where tasks.task_id = (select task_id from public.chosen where n = 3)
        and report.first_day = cast(tasks.created_at at time zone 'UTC' as date)
        and row(report.organization_id, report.domain, report.severity, report.visibility)
        = row(tasks.organization_id, tasks.type, tasks.severity, tasks.visibility)
"""
CHOSEN = """
    create table public.chosen as
    select f.task_id, f.organization_id, row_number() over (order by f.task_id) as n, f.current_status
    from insights.fact_tasks as f
    inner join insights.dim_tasks as d using (organization_id, task_id)
    where f.current_status = 'COMPLETED' and f.created_date_key between '2025-10-01' and '2025-11-30'
    order by f.task_id limit 6
"""
EVENT = """
    insert into task_events (id, task_id, organization_id, event_type, old_value, new_value, origin, created_at)
    select gen_random_uuid(), task_id, organization_id, 'status_changed', jsonb_build_object('status', '{old}'),
        jsonb_build_object('status', '{new}'), 'api', timestamptz '{at}' from public.chosen where n = {n}
"""


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    warehouse = Warehouse.copy_of(built_sample, "backlog", postgres, settings)
    warehouse.execute(CHOSEN)
    return warehouse


def _source(warehouse: Warehouse) -> Source:
    with connect(warehouse.admin_url) as connection:
        return by_hand.read_rows(connection)


@pytest.fixture(scope="module")
def sample(warehouse: Warehouse) -> Source:
    """Return the operational rows of the sample, before any test changes them."""
    return _source(warehouse)


def _stored(warehouse: Warehouse, horizon: date) -> dict[tuple[Any, ...], int]:
    """Return open_count by organization, day, domain, severity, visibility and band; no two rows have the same."""
    last = horizon - timedelta(days=1)
    assert warehouse.rows(WRONG_SPANS.format(last=last)) == []
    return {row[:6]: row[6] for row in warehouse.rows(DAYS_OF_SPANS.format(last=last))}


def _check(warehouse: Warehouse, source: Source, horizon: date) -> list[by_hand.Task]:
    """Compare statuses, reopenings and the backlog with plain Python; returns the tasks."""
    tasks = by_hand.tasks_of(source, warehouse.settings, horizon, horizon - timedelta(days=DAYS))
    statuses = warehouse.rows(
        "select task_id, status, started_at, ended_at, is_reopening from insights.fact_task_statuses"
        " order by task_id, status_number"
    )
    expected = [(t.task_id, s.name, s.start, s.end, s.is_reopening) for t in tasks for s in t.statuses]
    known = {task.task_id for task in tasks}
    assert [row for row in statuses if row[0] in known] == sorted(expected, key=lambda row: str(row[0]))
    reopened = dict(warehouse.rows("select task_id, reopened_count from insights.fact_tasks"))
    assert {id_: n for id_, n in reopened.items() if id_ in known} == {
        t.task_id: sum(s.is_reopening for s in t.statuses) for t in tasks
    }
    assert _stored(warehouse, horizon) == backlog(tasks, horizon - timedelta(days=DAYS), horizon)
    return tasks


def _build(warehouse: Warehouse, as_of: date) -> None:
    done = warehouse.build("--select", *MODELS, "--exclude-resource-type", "unit_test", "test", as_of=as_of)
    assert done.succeeded, done.output[-3000:]


def _test(warehouse: Warehouse, as_of: date, *, recounts: bool = True) -> DbtResult:
    return warehouse.build("--select", *TESTS, command="test", as_of=as_of, recounts=recounts)


def _counted_by_a_build(warehouse: Warehouse, as_of: date) -> set[tuple[Any, ...]]:
    """Build, and return the subjects with spans that differ from those before."""
    former = set(warehouse.rows(SPANS))
    _build(warehouse, as_of)
    return {row[:4] for row in former ^ set(warehouse.rows(SPANS))}


def _passes(warehouse: Warehouse, as_of: date) -> None:
    done = _test(warehouse, as_of)
    assert done.succeeded, done.output[-3000:]


def _subjects(warehouse: Warehouse, tasks: str) -> set[tuple[Any, ...]]:
    return set(
        warehouse.rows(
            "select distinct organization_id, coalesce(left(type, 255), ''), severity, visibility"
            f" from insights.dim_tasks where task_id in ({tasks})"
        )
    )


def test_the_sample_agrees(warehouse: Warehouse, sample: Source) -> None:
    tasks = _check(warehouse, sample, SAMPLE_AS_OF)
    assert sum(len(task.statuses) for task in tasks) > 2 * len(tasks)
    bands = dict(warehouse.rows("select age_band, sum(open_count) from insights.report_task_backlog group by 1"))
    is_open = "closed_at is null or closed_at >= '2026-01-01 00:00+00'"
    waiting = warehouse.value(f"select count(*) from insights.dim_tasks where {is_open}")
    assert warehouse.value("select sum(open_count) from insights.report_task_backlog where last_day is null") == waiting
    assert set(bands) == {"0-1", "2-7", "8-30", "over 30"}
    assert min(bands.values()) > 0


@pytest.mark.usefixtures("sample")  # whose rows are read first
def test_each_change_is_counted_and_costs_its_subjects(warehouse: Warehouse) -> None:
    versions = "select ctid::text, xmin::text from insights.{} order by 1"
    day = SAMPLE_AS_OF
    before = [warehouse.rows(versions.format(name)) for name in ("report_task_backlog", "fact_task_statuses")]
    assert _counted_by_a_build(warehouse, day) == set()
    _passes(warehouse, day)
    assert [warehouse.rows(versions.format(n)) for n in ("report_task_backlog", "fact_task_statuses")] == before

    # Late events: one reopens a task and arrives twice; two reopened another task and closed it again.
    for n, old, new, at in (
        (1, "COMPLETED", "IN_PROGRESS", "2025-12-20 10:00+00"),
        (1, "COMPLETED", "IN_PROGRESS", "2025-12-20 10:00+00"),
        (2, "IN_PROGRESS", "COMPLETED", "2025-12-22 10:00+00"),
        (2, "COMPLETED", "IN_PROGRESS", "2025-12-21 10:00+00"),
    ):
        warehouse.execute(EVENT.format(n=n, old=old, new=new, at=at))
    # A severity that changes: the subject that the task leaves is counted again, and the one that it comes to.
    left = _subjects(warehouse, "select task_id from public.chosen where n = 3")
    warehouse.execute(
        "update tasks set status = 'IN_PROGRESS', closed_at = null, updated_at = '2025-12-31 20:00+00'"
        " where id = (select task_id from public.chosen where n = 1);"
        "update tasks set severity = 'CRITICAL', updated_at = '2025-12-31 20:00+00'"
        " where id = (select task_id from public.chosen where n = 3)"
    )
    counted = _counted_by_a_build(warehouse, day)
    came_to = _subjects(warehouse, "select task_id from public.chosen where n = 3")
    late = _subjects(warehouse, "select task_id from public.chosen where n <= 2")
    assert not (left & came_to or late & (left | came_to))
    assert counted == left | came_to | late
    reopened = "select reopened_count from insights.fact_tasks inner join public.chosen using (task_id) where n = {}"
    assert warehouse.value(reopened.format(1)) >= 1
    assert warehouse.value(reopened.format(2)) >= 1
    source = _source(warehouse)
    _check(warehouse, source, day)

    # The nightly test looks at the days on which the statuses of written tasks begin, in the subjects of these tasks.
    warehouse.execute(MISCOUNT.format("+"))
    assert not _test(warehouse, day, recounts=False).succeeded
    warehouse.execute(MISCOUNT.format("-"))
    assert _test(warehouse, day, recounts=False).succeeded

    # Days pass: new days are added to every subject, and tasks leave at the cutoff, in each of their days.
    for days in (1, 4):
        day = SAMPLE_AS_OF + timedelta(days=days)
        _build(warehouse, day)
        _check(warehouse, source, day)
    _passes(warehouse, day)


def test_tasks_that_a_purge_took_before_they_were_counted_out_leave_every_day(
    postgres: LocalPostgres, settings: Settings, built_sample: str, sample: Source
) -> None:
    warehouse = Warehouse.copy_of(built_sample, "purged_backlog", postgres, settings)
    # The purge of a later day takes tasks that the report counts as open; then loads of earlier days follow.
    cutoff = CUTOFF + timedelta(days=300)
    waiting = "select count(*) from insights.dim_tasks where created_at < %s and closed_at is null"
    assert warehouse.value(waiting, cutoff) > 0
    with connect(warehouse.etl_url, autocommit=True) as connection:
        purge(Database(settings, connection), load_plan(settings), cutoff + timedelta(days=DAYS))
    assert warehouse.value(waiting, cutoff) == 0
    expected = backlog(by_hand.tasks_of(sample, settings, SAMPLE_AS_OF, cutoff), cutoff, SAMPLE_AS_OF)
    for as_of in (SAMPLE_AS_OF, SAMPLE_AS_OF - timedelta(days=3)):
        _build(warehouse, as_of)
        assert _stored(warehouse, SAMPLE_AS_OF) == expected
    _passes(warehouse, as_of)


def test_a_stored_task_that_the_source_lost_has_its_statuses_in_a_first_build(
    postgres: LocalPostgres, settings: Settings, built_sample: str
) -> None:
    warehouse = Warehouse.copy_of(built_sample, "lost_statuses", postgres, settings)
    warehouse.execute(CHOSEN)
    warehouse.execute(
        "drop table insights.fact_task_statuses, insights.report_task_backlog cascade;"
        "set session_replication_role = replica;"
        "delete from tasks where id in (select task_id from public.chosen)"
    )
    _build(warehouse, SAMPLE_AS_OF)
    rows = warehouse.rows(
        "select s.status, s.started_at = d.created_at, s.ended_at = d.closed_at, s.is_current"
        " from insights.fact_task_statuses as s inner join insights.dim_tasks as d using (organization_id, task_id)"
        " inner join public.chosen as c using (organization_id, task_id) order by c.n, s.status_number"
    )
    assert rows == [("PENDING", True, True, False), ("COMPLETED", False, None, True)] * 6
