"""The reports against plain Python on the sample, over time, and while a session reads them."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import count
from typing import Any

import pytest
from support import reports_by_hand as by_hand
from support.contents import contents
from support.reports_by_hand import Table
from support.warehouse import Warehouse, connect_as

from orchestration.config.files import Settings
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

CUTOFF = date(2024, 1, 2)  # 730 days before 2026-01-01
LATER_CUTOFF = date(2025, 1, 1)  # 365 days before it
LONG_AGO = date(2025, 6, 1)
MONTHS = [date(2024 + n // 12, n % 12 + 1, 1) for n in range(1, 24)]  # begin after the cutoff, ended by 2026-01-01
VOLUME = "day, organization_id, status, type, priority, severity, visibility"
SCORES = "organization_id, domain, visibility"
GROUP = "month, organization_id, label_base, label_category, domain, location, severity, visibility"
_numbers = count()
MEASURES = """
    opened, closed, backlog, median_first_response_seconds, p90_first_response_seconds, median_completion_seconds,
    p90_completion_seconds, deadline_count, missed_count, missed_share
"""
KINDS = ("opened", "closed", "backlog", "deadline")
KEEP_MONTHS: dict[str, Any] = {"aggregated_retention_days": dict.fromkeys(("dev", "staging", "prod", "offline"), 3650)}
ONE_YEAR: dict[str, Any] = {"raw_event_retention_days": dict.fromkeys(("dev", "staging", "prod", "offline"), 365)}

# A task that was closed in November after all, severities that change, and the rows that a purge takes away.
CHANGES_AND_A_PURGE = f"""
    update tasks set status = 'COMPLETED', closed_at = '2025-11-30 12:00+00', updated_at = '2026-01-01 00:00+00'
    where id = (
        select min(task_id::text)::uuid from insights.fact_tasks
        where closed_date_key is null and created_date_key between '2025-11-01' and '2025-11-30'
    );
    update tasks set severity = 'CRITICAL', updated_at = '2026-01-01 00:00+00'
    where created_at >= '2025-05-01' and severity = 'MODERATE';
    delete from insights.fact_tasks where created_date_key < '{LATER_CUTOFF}';
    delete from insights.dim_tasks where created_at < '{LATER_CUTOFF} 00:00+00';
    delete from insights.fact_cases where opened_date_key < '{LATER_CUTOFF}';
    delete from insights.dim_cases where opened_at < '{LATER_CUTOFF} 00:00+00';
"""

# The model as it was before its select changed, the reader's rights with it.
ANOTHER_SELECT = f"""
    drop materialized view insights.report_profile_scores cascade;
    create materialized view insights.report_profile_scores as
    select organization_id, domain, visibility, profile_code, 1.0::numeric(5, 2) as score, 1 as task_count,
        1 as decided_count, 1 as kept_count, 1 as missed_count, 1 as undecided_count, 1 as without_deadline_count
    from insights_staging.int_profile_scores limit 1;
    create unique index on insights.report_profile_scores ({SCORES});
    alter materialized view insights.report_profile_scores owner to orgo_insights_etl;
    comment on materialized view insights.report_profile_scores is 'Grain: another one.';
"""


def build(warehouse: Warehouse, *names: str, as_of: date = SAMPLE_AS_OF, **variables: Any) -> None:
    result = warehouse.build("--select", *names, as_of=as_of, command="run", **(KEEP_MONTHS | variables))
    assert result.succeeded, result.output


@pytest.fixture(scope="module")
def reported(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    """Return the sample with trends of all months and a report_profile_scores built from an older select."""
    warehouse = Warehouse.copy_of(built_sample, "reported", postgres, settings)
    warehouse.execute(ANOTHER_SELECT)
    build(warehouse, "int_monthly_trends", "report_monthly_trends", "report_task_volume", "report_profile_scores")
    return warehouse


@pytest.fixture
def own(reported: Warehouse) -> Warehouse:
    """Return a copy of `reported`, for one test."""
    return Warehouse.copy_of(reported.name, f"{reported.name}_{next(_numbers)}", reported.postgres, reported.settings)


@pytest.fixture(scope="module")
def tasks(reported: Warehouse) -> list[by_hand.Task]:
    with connect(reported.admin_url) as connection:
        return by_hand.read_tasks(connection, reported.settings, SAMPLE_AS_OF, CUTOFF)


def stored(warehouse: Warehouse, report: str, keys: str, values: str) -> Table:
    """Return the rows of a report by its grain."""
    size = keys.count(",") + 1
    rows = warehouse.rows(f"select {keys}, {values} from insights.{report}")
    table = {row[:size]: row[size:] for row in rows}
    assert len(table) == len(rows)
    return table


def versions(warehouse: Warehouse, report: str, condition: str = "true") -> set[tuple[Any, ...]]:
    """Return the physical version of each row; a row that is written again has a new one."""
    return set(warehouse.rows(f"select ctid::text, xmin::text from insights.{report} where {condition}"))


def test_monthly_trends_agree(reported: Warehouse, tasks: list[by_hand.Task]) -> None:
    found = stored(reported, "report_monthly_trends", GROUP, MEASURES)
    assert found == by_hand.monthly_trends(tasks, MONTHS)
    assert len({key[1] for key in found}) == 4
    assert {key[2] for key in found} >= {None, 1, 11}, "labels that do not parse, too"
    assert any(key[5] for key in found) and any(key[5] is None for key in found)


def test_task_volume_agrees(reported: Warehouse, tasks: list[by_hand.Task]) -> None:
    assert stored(reported, "report_task_volume", VOLUME, "task_count") == by_hand.task_volume(tasks)


def test_a_changed_select_is_applied_and_readers_keep_their_rights(reported: Warehouse) -> None:
    with connect_as(reported.reader_url) as reader:
        assert reader.execute("select sum(task_count) > 1 from insights.report_profile_scores").fetchone() == (True,)
    comment = "select obj_description('insights.report_profile_scores'::regclass)"
    assert reported.value(comment).startswith("Grain: one row per organization, domain and visibility")
    assert reported.value("select count(*) from pg_matviews where schemaname = 'insights'") == 1


def test_sla_breaches_agree(reported: Warehouse, tasks: list[by_hand.Task]) -> None:
    chosen = dict(reported.rows("select organization_id, profile_code from organization_profiles"))
    found = stored(
        reported,
        "report_sla_breaches",
        "day, organization_id, domain, visibility",
        "profile_code, task_count, reactivity_decided, reactivity_breaches, completion_decided, completion_breaches",
    )
    assert found == by_hand.sla_breaches(tasks, SAMPLE_AS_OF, reported.settings, chosen)


def test_profile_scores_agree(reported: Warehouse, tasks: list[by_hand.Task]) -> None:
    found = stored(
        reported,
        "report_profile_scores",
        SCORES,
        "score, task_count, kept_count, missed_count, undecided_count, without_deadline_count",
    )
    assert found == by_hand.profile_scores(tasks, SAMPLE_AS_OF)


def test_a_second_build_and_a_replay_write_nothing(reported: Warehouse) -> None:
    reports = ("report_monthly_trends", "report_task_volume", "report_sla_breaches", "report_profile_scores")
    before = {name: versions(reported, name) for name in reports}
    build(reported, "+report_monthly_trends", *reports, as_of=LONG_AGO)
    assert {name: versions(reported, name) for name in before} == before
    horizons = "select distinct horizon from insights_ops.load_log where relation_name like 'report_%'"
    assert reported.rows(horizons) == [(SAMPLE_AS_OF,)]


def test_readers_do_not_wait_for_a_refresh(own: Warehouse) -> None:
    count = "select sum(task_count) from insights.report_profile_scores where visibility = 'PUBLIC'"
    before = own.value(count)
    changed = own.value("select sum(task_count) from insights.report_sla_breaches where visibility = 'RESTRICTED'")
    own.execute(
        "update insights.report_sla_breaches set visibility = 'PUBLIC', domain = concat('once restricted ', domain)"
        " where visibility = 'RESTRICTED'"
    )
    with ThreadPoolExecutor() as pool, connect(own.admin_url) as other:
        # The run refreshes, waits for the load log in the same transaction, and holds all its locks.
        other.execute("lock table insights_ops.load_log in exclusive mode")
        run = pool.submit(build, own, "report_profile_scores")
        locks = _locks_of_a_waiting_refresh(own, run)
        with connect_as(own.reader_url) as reader:
            reader.execute("set lock_timeout = '1s'")
            assert reader.execute(count).fetchone() == (before,)
        other.rollback()
        run.result()
    assert "ExclusiveLock" in locks and "AccessExclusiveLock" not in locks
    assert own.value(count) == before + changed


def _locks_of_a_waiting_refresh(warehouse: Warehouse, run: Any) -> set[str]:
    query = """
        select mine.mode
        from pg_locks as waiting
        inner join pg_locks as mine on waiting.pid = mine.pid
        where waiting.relation = 'insights_ops.load_log'::regclass and not waiting.granted
            and mine.relation = 'insights.report_profile_scores'::regclass and mine.granted
    """
    deadline = time.monotonic() + 300
    while True:
        found = {mode for (mode,) in warehouse.rows(query)}
        if found:
            return found
        assert time.monotonic() < deadline and not run.done(), "no refresh has been waiting"
        time.sleep(0.05)


def test_months_outlive_the_facts(own: Warehouse) -> None:
    before = stored(own, "report_monthly_trends", GROUP, MEASURES)
    frozen = versions(own, "report_monthly_trends", f"month < '{LATER_CUTOFF}'")
    settled = _settled(own)
    own.execute(CHANGES_AND_A_PURGE)

    build(own, "+report_monthly_trends", **ONE_YEAR)

    assert versions(own, "report_monthly_trends", f"month < '{LATER_CUTOFF}'") == frozen
    with connect(own.admin_url) as connection:
        tasks = by_hand.read_tasks(connection, own.settings, SAMPLE_AS_OF, LATER_CUTOFF)
    recounted = by_hand.monthly_trends(tasks, [month for month in MONTHS if month >= LATER_CUTOFF])
    found = stored(own, "report_monthly_trends", GROUP, MEASURES)
    assert {key: row for key, row in found.items() if key[0] >= LATER_CUTOFF} == _kept(before, recounted, settled)
    assert {key for key in before if key[0] >= LATER_CUTOFF} - set(found), "what no task is in any more has left"


def _settled(warehouse: Warehouse) -> dict[tuple[Any, ...], tuple[bool, ...]]:
    """Return, by month and organization, which kinds counted a row that the later cutoff removes."""
    oldest = ", ".join(f"coalesce(min({kind}_oldest_date) < '{LATER_CUTOFF}', false)" for kind in KINDS)
    rows = warehouse.rows(f"select month, organization_id, {oldest} from insights.report_monthly_trends group by 1, 2")
    found = {row[:2]: row[2:] for row in rows if row[0] >= LATER_CUTOFF}
    opened, closed, backlog, deadline = zip(*found.values(), strict=True)
    assert set(opened) == set(closed) == set(deadline) == set(backlog) == {True, False}
    return found


def _kept(before: Table, recounted: Table, settled: dict[tuple[Any, ...], tuple[bool, ...]]) -> Table:
    """Return the recounted rows, with settled figures as they were before."""
    nothing = (0, 0, 0, None, None, None, None, 0, 0, None)
    expected = {}
    for key in before | recounted:
        if key[0] >= LATER_CUTOFF:
            opened, closed, backlog, deadline = settled.get(key[:2], (False, False, False, False))
            as_they_were = (opened, closed, backlog, opened, opened, closed, closed, deadline, deadline, deadline)
            old, new = before.get(key, nothing), recounted.get(key, nothing)
            row = tuple(o if keep else n for keep, o, n in zip(as_they_were, old, new, strict=True))
            if row != nothing:
                expected[key] = row
    return expected


def test_trends_from_before_a_column_gain_it_and_stay_as_they_were(built: Warehouse) -> None:
    before = contents(built, "insights.report_monthly_trends")
    built.execute("alter table insights.report_monthly_trends drop column opened_oldest_date")
    assert built.build("--select", "int_monthly_trends", "report_monthly_trends", command="run").succeeded
    assert contents(built, "insights.report_monthly_trends") == before
    assert built.value("select count(opened_oldest_date) from insights.report_monthly_trends where opened > 0") > 0
