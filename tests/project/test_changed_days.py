"""Reports compute the days or months that changed and no others, and equal reports that are built from nothing."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.contents import contents, row_of
from support.small_scenario import NEXT_DAY
from support.warehouse import NO_TESTS, Warehouse

from orchestration.retention.plan import load_plan
from orchestration.retention.purge import purge
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from workshop.sample.load import SAMPLE_AS_OF

pytestmark = pytest.mark.services

BY_DAY = ("report_task_volume", "report_sla_breaches")
REPORTS = (*BY_DAY, "report_profile_scores", "report_targets")
WITH_PARENTS = tuple(f"+{name}" for name in REPORTS)
DAYS = "select organization_id, created_date_key from insights.fact_tasks where task_id = any(%s)"
WRITTEN_DAYS = """
    select organization_id, created_date_key from insights.fact_tasks where loaded_at >= %s
    union
    select organization_id, (created_at at time zone 'UTC')::date from insights.dim_tasks where loaded_at >= %s
"""
# One task for each kind of change, and one to delete. Each was created on a day with other tasks, which do not change.
CHOSEN = """
    select task_id from (
        select task_id, row_number() over (partition by organization_id, created_date_key order by task_id) as number
        from insights.fact_tasks where created_date_key between '2025-03-01' and '2025-10-31'
    ) as numbered where number = 2 order by task_id limit 6
"""
CHANGES = (
    "update tasks set severity = 'CRITICAL', updated_at = {at} where id = {0}",
    "update tasks set status = 'COMPLETED', closed_at = {at}, updated_at = {at} where id = {1}",
    "update tasks set type = 'another', updated_at = {at} where id = {2}",
    "update tasks set created_at = created_at - interval '40 days', updated_at = {at} where id = {3}",
    "update tasks set case_id = null, requester_person_id = null, updated_at = {at},"
    " organization_id = (select min(id::text)::uuid from organizations where id <> tasks.organization_id)"
    " where id = {4}",
)
# What somebody does by hand: no load sees it.
DELETION = (
    "delete from insights.fact_tasks where task_id = {0}; delete from insights.dim_tasks where task_id = {0};"
    " set session_replication_role = replica; delete from tasks where id = {0}"
)


def _days(warehouse: Warehouse, tasks: list[Any]) -> set[tuple[Any, date]]:
    return set(warehouse.rows(DAYS, tasks))


def _versions(warehouse: Warehouse, report: str, period: str = "day") -> dict[tuple[Any, date], set[str]]:
    """Return the transactions that wrote the rows of each day, or of another period."""
    rows = warehouse.rows(
        f"select organization_id, {period}, array_agg(distinct xmin::text) from insights.{report} group by 1, 2"  # noqa: S608
    )
    return {(organization, day): set(versions) for organization, day, versions in rows}


def _months(days: set[tuple[Any, date]]) -> set[tuple[Any, date]]:
    return {(organization, day.replace(day=1)) for organization, day in days}


def _rewritten(before: dict[Any, set[str]], after: dict[Any, set[str]]) -> set[Any]:
    return {day for day in before.keys() | after.keys() if before.get(day) != after.get(day)}


def _load(warehouse: Warehouse, *selected: str, as_of: date = SAMPLE_AS_OF, **variables: Any) -> None:
    load = warehouse.build("--select", *selected, *NO_TESTS, as_of=as_of, **variables)
    assert load.succeeded, load.output[-2000:]


def _check_against_a_full_refresh(warehouse: Warehouse, as_of: date, **variables: Any) -> None:
    grown = {name: contents(warehouse, f"insights.{name}", row_of(f"insights.{name}")) for name in REPORTS}
    _load(warehouse, *REPORTS, "--full-refresh", as_of=as_of, **variables)
    for name in REPORTS:
        assert contents(warehouse, f"insights.{name}", row_of(f"insights.{name}")) == grown[name], name


def test_each_kind_of_change_a_purge_and_a_deletion_by_hand_reach_their_days(built: Warehouse) -> None:
    *chosen, deleted = [task for (task,) in built.rows(CHOSEN)]
    days = _days(built, chosen)
    assert len(days) == len(chosen) == len(CHANGES)
    before = {name: _versions(built, name) for name in BY_DAY}
    months = _versions(built, "report_targets", "month")
    given = {"at": "timestamptz '2025-12-31 20:00+00'"}
    for statement in CHANGES:
        built.execute(statement.format(*(f"'{task}'" for task in chosen), **given))
    _load(built, *WITH_PARENTS)
    days |= _days(built, chosen)
    assert len(days) == len(chosen) + 2  # the day before another creation, and the other organization
    for name in BY_DAY:
        assert _rewritten(before[name], _versions(built, name)) == days, name
    rewritten = _rewritten(months, _versions(built, "report_targets", "month"))
    assert rewritten == _months(days) and months.keys() - rewritten

    _purge_ten_days(built)
    _delete_by_hand(built, deleted)
    _check_against_a_full_refresh(built, SAMPLE_AS_OF)


def _purge_ten_days(warehouse: Warehouse) -> None:
    """Purge the oldest days; check that their rows leave the reports, and that no other day is written."""
    before = {name: _versions(warehouse, name) for name in BY_DAY}
    months = _versions(warehouse, "report_targets", "month")
    oldest = warehouse.value("select min(created_date_key) from insights.fact_tasks")
    purged = oldest + timedelta(days=10)
    with connect(warehouse.etl_url, autocommit=True) as connection:
        db = Database(warehouse.settings, connection)
        purge(db, load_plan(warehouse.settings), purged + timedelta(days=730))
    assert warehouse.value("select min(created_date_key) from insights.fact_tasks") >= purged
    _load(warehouse, *WITH_PARENTS)
    for name in BY_DAY:
        rewritten = _rewritten(before[name], _versions(warehouse, name))
        assert rewritten == {(organization, day) for organization, day in before[name] if day < purged} != set(), name
    assert _rewritten(months, _versions(warehouse, "report_targets", "month")) == _months(rewritten) < months.keys()


def _delete_by_hand(warehouse: Warehouse, task: Any) -> None:
    """Delete a task from all tables; check that its day is written by a recount of everything, as the only one."""
    (day,) = _days(warehouse, [task])
    before = {name: _versions(warehouse, name) for name in BY_DAY}
    warehouse.execute(DELETION.format(f"'{task}'"))
    _load(warehouse, *WITH_PARENTS)
    for name in BY_DAY:
        assert _rewritten(before[name], _versions(warehouse, name)) == set(), name
    warehouse.execute("update insights_ops.counted_reports set counted_at = '-infinity'")
    _load(warehouse, *REPORTS)
    for name in BY_DAY:
        assert _rewritten(before[name], _versions(warehouse, name)) == {day}, name


def test_a_limit_or_deadline_that_passes_reaches_its_day(built: Warehouse) -> None:
    # Nobody changes the source, but the clock moves by a day, then by two months.
    outcomes = (
        "select organization_id, created_date_key, task_id, deadline_outcome, is_reactivity_breach,"
        " is_completion_breach from insights_staging.int_task_outcomes"
    )
    for as_of in (NEXT_DAY, date(2026, 3, 1)):
        judged, before = set(built.rows(outcomes)), {name: _versions(built, name) for name in BY_DAY}
        started = built.value("select clock_timestamp()")
        _load(built, *WITH_PARENTS, as_of=as_of)
        changed = {row[:2] for row in judged ^ set(built.rows(outcomes))}
        rewritten = _rewritten(before["report_sla_breaches"], _versions(built, "report_sla_breaches"))
        assert changed and changed <= rewritten
        assert len(rewritten) < len(before["report_sla_breaches"]) / 4
        written = set(built.rows(WRITTEN_DAYS, started, started))
        assert _rewritten(before["report_task_volume"], _versions(built, "report_task_volume")) == written
        _check_against_a_full_refresh(built, as_of)


def test_another_profile_reaches_every_day_of_its_organization(built: Warehouse) -> None:
    organization, domain = built.rows(
        "select organization_id, domain from insights.report_sla_breaches where profile_code <> 'advocacy_group'"
        " and domain is not null group by 1, 2 order by count(*) desc limit 1"
    )[0]
    of_the_domain = set(
        built.rows(
            "select organization_id, day from insights.report_sla_breaches where domain = %s"
            " and profile_code <> 'advocacy_group'",
            domain,
        )
    )
    before = _versions(built, "report_sla_breaches")
    override: dict[str, Any] = {
        "overrides_by_domain": built.settings.insights.patterns.overrides_by_domain | {domain: "advocacy_group"}
    }
    months = _versions(built, "report_targets", "month")
    _load(built, "+report_profile_scores", "+report_targets", **override)
    assert _rewritten(before, _versions(built, "report_sla_breaches")) == of_the_domain
    assert _rewritten(months, _versions(built, "report_targets", "month")) == _months(of_the_domain)
    assert built.value(
        "select bool_and(profile_code = 'advocacy_group') from insights.report_sla_breaches"
        " where organization_id = %s and domain = %s",
        organization,
        domain,
    )
    _check_against_a_full_refresh(built, SAMPLE_AS_OF, **override)


def test_other_targets_reach_every_month_of_their_organization(built: Warehouse) -> None:
    organization, slug = built.rows(
        "select organization_id, slug from insights.dim_organizations"
        " where slug not in (select organization_slug from insights_staging.targets) order by slug"
    )[0]
    shown = (
        "select distinct target_percent, min_count from insights.report_targets"
        " where organization_id = %s and measure = 'kept_deadlines'"
    )
    before = _versions(built, "report_targets", "month")
    added = "insert into insights_staging.targets values ('{}', '*', 'kept_deadlines', 12.5, 3)"
    built.execute(added.format(slug))
    _load(built, "report_targets")
    assert built.rows(shown, organization) == [(Decimal("12.50"), 3)]
    months = {key for key in before if key[0] == organization}
    assert _rewritten(before, _versions(built, "report_targets", "month")) == months < before.keys()
    _check_against_a_full_refresh(built, SAMPLE_AS_OF)

    built.execute("delete from insights_staging.targets where measure = 'kept_deadlines'")
    _load(built, "report_targets")
    assert built.rows(shown, organization) == []
    _check_against_a_full_refresh(built, SAMPLE_AS_OF)


def test_a_report_of_days_that_is_counted_as_a_whole_reaches_every_month(built: Warehouse) -> None:
    before = _versions(built, "report_targets", "month")
    _load(built, "report_sla_breaches", "--full-refresh")
    _load(built, "report_targets")
    assert _rewritten(before, _versions(built, "report_targets", "month")) == before.keys()
    _load(built, "report_sla_breaches", "report_targets")
    again = _versions(built, "report_targets", "month")
    _load(built, "report_sla_breaches", "report_targets")
    assert _versions(built, "report_targets", "month") == again


def test_a_new_column_of_a_report_is_filled_on_every_day(built: Warehouse) -> None:
    before = contents(built, "insights.report_sla_breaches", row_of("insights.report_sla_breaches"))
    built.execute("drop materialized view insights.report_profile_scores cascade")
    built.execute("drop view insights_staging.int_profile_scores")
    built.execute("alter table insights.report_sla_breaches drop column kept_count")
    _load(built, "report_sla_breaches", "int_profile_scores", "report_profile_scores")
    assert contents(built, "insights.report_sla_breaches", row_of("insights.report_sla_breaches")) == before


def test_an_index_that_a_model_gained_is_made_on_the_table_that_exists(built: Warehouse) -> None:
    indexes = (
        "select substring(indexdef from 'USING .*') from pg_indexes where schemaname = 'insights'"
        " and tablename = 'fact_tasks' and indexdef not like 'CREATE UNIQUE%%' order by 1"
    )
    before = built.rows(indexes)
    assert ("USING btree (loaded_at)",) in before
    for (name,) in built.rows(
        "select indexname from pg_indexes where tablename = 'fact_tasks' and indexdef like '%%(loaded_at)%%'"
    ):
        built.execute(f'drop index insights."{name}"')
    assert built.rows(indexes) != before
    for _ in range(2):  # and only once
        _load(built, "int_task_lifecycle", "fact_tasks")
        assert built.rows(indexes) == before
