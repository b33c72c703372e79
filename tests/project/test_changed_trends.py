"""The monthly trends recompute the subjects that changed and no others, and equal a recount in plain Python."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import count
from typing import Any

import pytest
from support import reports_by_hand as by_hand
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

_numbers = count()
CUTOFF = date(2024, 1, 2)  # 730 days before 2026-01-01
MONTHS = [date(2024 + n // 12, n % 12 + 1, 1) for n in range(1, 24)]  # begin after the cutoff, ended by 2026-01-01
GROUP = "month, organization_id, label_base, label_category, domain, location, severity, visibility"
MEASURES = """
    opened, closed, backlog, median_first_response_seconds, p90_first_response_seconds, median_completion_seconds,
    p90_completion_seconds, deadline_count, missed_count, missed_share
"""
KEEP_MONTHS: dict[str, Any] = {"aggregated_retention_days": dict.fromkeys(("dev", "staging", "prod", "offline"), 3650)}
TRENDS = ("int_monthly_trends", "report_monthly_trends")
FACTS = ("+fact_tasks", "+dim_tasks")
# Reports that need former rows too.
FOLLOWERS = ("+report_task_backlog", "report_task_volume", "report_sla_breaches", "report_targets")
SUBJECT = "organization_id, label_base, label_category, domain"
RECOMPUTED = f"select distinct {SUBJECT} from insights_staging.int_monthly_trends"
OF_TASKS = """
    select organization_id, label_base, label_category, type from insights.dim_tasks
    where task_id = any(%(tasks)s) or case_id = %(case)s
"""
# Tasks of different subjects, one for each kind of change.
CHOSEN = """
    select min(task_id::text)::uuid from insights.dim_tasks
    where created_at between '2025-03-01' and '2025-10-31' and case_id is null and label_base is not null
    group by organization_id, label_base, label_category, type order by count(*) desc, 1 limit 7
"""
CASE = """
    select case_id from insights.dim_tasks
    inner join insights.dim_cases using (organization_id, case_id)
    where dim_tasks.created_at between '2025-03-01' and '2025-10-31' and location is not null order by 1 limit 1
"""
TYPE = "update tasks set type = '{0}', updated_at = '2025-12-31 20:00+00' where id = '{1}'"
# Open tasks of earlier months, without a case.
OPEN = """
    select task_id from insights.dim_tasks
    where closed_at is null and case_id is null and created_at between '2025-03-01' and '2025-10-31' order by 1 limit 2
"""
CHANGES = (
    "update tasks set severity = 'CRITICAL', updated_at = {at} where id = {0}",
    "update tasks set status = 'COMPLETED', closed_at = {at}, updated_at = {at} where id = {1}",
    "update tasks set type = 'another', updated_at = {at} where id = {2}",
    "update tasks set label = '1000.91.Operations', updated_at = {at} where id = {3}",
    "update tasks set case_id = null, requester_person_id = null, updated_at = {at},"
    " organization_id = (select min(id::text)::uuid from organizations where id <> tasks.organization_id)"
    " where id = {4};"
    " update task_events set organization_id = (select organization_id from tasks where id = {4}) where task_id = {4}",
    "update tasks set reactivity_deadline_at = '2025-04-05 12:00+00', updated_at = {at} where id = {5}",
    'update cases set location = \'{{"room": "another"}}\', updated_at = {at} where id = {6}',
)


def _build(warehouse: Warehouse, *names: str, as_of: date = SAMPLE_AS_OF) -> None:
    result = warehouse.build("--select", *names, as_of=as_of, command="run", **KEEP_MONTHS)
    assert result.succeeded, result.output[-2000:]


def _check_against_a_recount(warehouse: Warehouse, as_of: date = SAMPLE_AS_OF, months: list[date] = MONTHS) -> None:
    rows = warehouse.rows(f"select {GROUP}, {MEASURES} from insights.report_monthly_trends")
    with connect(warehouse.admin_url) as connection:
        tasks = by_hand.read_tasks(connection, warehouse.settings, as_of, CUTOFF)
    assert {row[:8]: row[8:] for row in rows} == by_hand.monthly_trends(tasks, months)


def _subjects(warehouse: Warehouse, tasks: list[Any], case: Any) -> set[tuple[Any, ...]]:
    with connect(warehouse.admin_url) as connection:
        return set(connection.execute(OF_TASKS, {"tasks": tasks, "case": case}).fetchall())


@pytest.fixture(scope="module")
def trends_of_all_months(postgres: LocalPostgres, settings: Settings, built_sample: str) -> str:
    """Return the name of a database: the sample with trends of all months, loaded twice. Copy it, never use it."""
    warehouse = Warehouse.copy_of(built_sample, "trends_of_all_months", postgres, settings)
    _build(warehouse, *TRENDS)
    _build(warehouse, "+report_monthly_trends")
    return warehouse.name


@pytest.fixture
def reported(trends_of_all_months: str, postgres: LocalPostgres, settings: Settings) -> Iterator[Warehouse]:
    """Yield a copy of the sample with trends of all months, for one test."""
    name = f"trends_{next(_numbers)}"
    with disposable_copy(trends_of_all_months, name, postgres, settings) as warehouse:
        yield warehouse


def test_each_kind_of_change_reaches_the_subjects_that_it_left_and_entered(reported: Warehouse) -> None:
    assert reported.rows(RECOMPUTED) == [], "nothing has changed before the second load"
    *chosen, twice = [task for (task,) in reported.rows(CHOSEN)]
    case = reported.value(CASE)
    before, before_twice = _subjects(reported, chosen, case), _subjects(reported, [twice], None)
    # A task that changed twice is compared with what was counted, not with what was loaded between.
    reported.execute(TYPE.format("one", twice))
    _build(reported, *FACTS)
    for statement in CHANGES:
        named = statement.format(*(f"'{entity}'" for entity in (*chosen, case)), at="'2025-12-31 20:00+00'")
        reported.execute(named)
    reported.execute(TYPE.format("two", twice))
    _build(reported, "+report_monthly_trends")
    after, after_twice = _subjects(reported, chosen, case), _subjects(reported, [twice], None)
    assert len(after - before) >= 2  # another type or label, and another organization
    assert len(before_twice | after_twice) == 2
    assert not (before_twice | after_twice) & (before | after)
    assert set(reported.rows(RECOMPUTED)) == before | after | before_twice | after_twice
    _check_against_a_recount(reported)


def test_a_month_that_ends_recomputes_every_subject(reported: Warehouse) -> None:
    _build(reported, "+report_monthly_trends", as_of=date(2026, 1, 31))
    assert len(reported.rows(RECOMPUTED)) < 20  # of tasks whose dates are ahead
    _build(reported, "+report_monthly_trends", as_of=date(2026, 2, 1))
    assert reported.value("select count(*) from insights.report_monthly_trends where month = '2026-01-01'") > 0
    every = f"select distinct {SUBJECT} from insights.report_monthly_trends where month >= '2024-03-01'"
    assert set(reported.rows(RECOMPUTED)) == set(reported.rows(every))


def test_trends_of_a_stopped_load_and_of_an_unknown_time_are_recomputed(reported: Warehouse) -> None:
    task, other = (task for (task,) in reported.rows(CHOSEN)[:2])
    reported.execute(TYPE.format("another", task))
    _build(reported, "+int_monthly_trends")  # and the report is not built
    reported.execute(f"update tasks set type = 'other', updated_at = '2025-12-31 20:30+00' where id = '{other}'")
    _build(reported, *FACTS)
    _build(reported, "report_monthly_trends")  # from trends without the second change
    _build(reported, *TRENDS)
    _check_against_a_recount(reported)

    reported.execute("delete from insights_ops.counted_reports")
    _build(reported, *TRENDS)
    every = f"select distinct {SUBJECT} from insights.report_monthly_trends where month >= '2024-02-01'"
    assert set(reported.rows(RECOMPUTED)) == set(reported.rows(every))
    _check_against_a_recount(reported)


def test_news_of_the_month_that_has_not_ended_recompute_no_subject(reported: Warehouse) -> None:
    _build(reported, "+report_monthly_trends", as_of=date(2026, 1, 3))
    task, other = (task for (task,) in reported.rows(OPEN))
    closed = reported.value("select count(*) from insights.fact_tasks where closed_date_key >= '2026-01-01'")
    reported.execute(
        "update tasks set status = 'COMPLETED', closed_at = '2026-01-02 20:00+00', updated_at = '2026-01-02 20:00+00'"
        f" where id = '{task}';"
        " insert into tasks select (jsonb_populate_record(tasks, jsonb_build_object('id', md5('new')::uuid,"
        " 'created_at', '2026-01-02 21:00+00'::timestamptz, 'updated_at', '2026-01-02 21:00+00'::timestamptz,"
        " 'reactivity_deadline_at', '2026-01-05 21:00+00'::timestamptz))).*"
        f" from tasks where id = '{other}'"
    )
    _build(reported, *FACTS, as_of=date(2026, 1, 3))
    assert (
        reported.value("select count(*) from insights.fact_tasks where closed_date_key >= '2026-01-01'") == closed + 1
    )
    kept = "select relation_name, contents is null from insights_ops.former_rows where id = any(%s) order by 1, 2"
    new = reported.value("select md5('new')::uuid")
    assert reported.rows(kept, [task]) == [("dim_tasks", False), ("fact_tasks", False)]
    assert reported.rows(kept, [new]) == [("dim_tasks", True), ("fact_tasks", True)]
    _build(reported, *TRENDS, as_of=date(2026, 1, 3))
    assert reported.rows(RECOMPUTED) == []
    assert reported.rows(kept, [task, new]), "the other reports have not counted them yet"
    # A report that does not read the statuses can be counted before they are written: then the next load forgets them.
    _build(reported, *FOLLOWERS, as_of=date(2026, 1, 3))
    _build(reported, *(name.strip("+") for name in FOLLOWERS), as_of=date(2026, 1, 3))
    _build(reported, *TRENDS, as_of=date(2026, 1, 3))
    assert reported.rows("select * from insights_ops.former_rows") == []
