"""Unusual days of the reports are found, by counts that are made for the test, and usual ones are not."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from support.warehouse import Warehouse

from workshop.sample.load import SAMPLE_AS_OF

pytestmark = pytest.mark.services

COUNTS = "insights_staging.int_daily_counts"
LAST = SAMPLE_AS_OF - timedelta(days=1)
# An organization of nine weeks: 40 tasks on weekdays, 25 at weekends. A fifth has no deadline, all have a domain.
USUAL = f"""
    insert into {COUNTS} (organization_id, day, is_judged, task_count, without_domain_count, without_deadline_count)
    select '{{organization}}', day, day > date '{LAST}' - 7, usual, 0, usual / 5
    from (
        select day::date, case when extract(isodow from day) > 5 then 25 else 40 end as usual
        from generate_series(date '{LAST}' - 62, date '{LAST}', interval '1 day') as series (day)
    ) as days;
    update {COUNTS} set {{change}} and organization_id = '{{organization}}'
"""
VOLUME, MISSING = "assert_volume_is_usual", "assert_missing_values_are_usual"
ON_LAST = f"where day = '{LAST}'"
# Each is the change of an organization of its own. December 31, 2025 is a Wednesday.
UNUSUAL = {
    f"task_count = 19, without_deadline_count = 4 {ON_LAST}": {VOLUME},
    f"task_count = 81, without_deadline_count = 16 {ON_LAST}": {VOLUME},
    f"task_count = 0, without_deadline_count = 0 {ON_LAST}": {VOLUME},
    f"without_deadline_count = 17 {ON_LAST}": {MISSING},
    f"without_domain_count = 9 {ON_LAST}": {MISSING},
    # 51 tasks are usual on a Wednesday and more than twice 25 on the Sunday before.
    f"task_count = 51, without_deadline_count = 10 where day = '{LAST - timedelta(days=3)}'": {VOLUME},
}
OTHERS = (
    f"task_count = task_count {ON_LAST}",
    # Half of 40 and twice 40 are still usual.
    f"task_count = 20, without_deadline_count = 4 {ON_LAST}",
    f"task_count = 80, without_deadline_count = 16 {ON_LAST}",
    # A fifth lacks a deadline: 16 of 40 is a fifth more, 17 is beyond.
    f"without_deadline_count = 16 {ON_LAST}",
    f"task_count = 51, without_deadline_count = 10 {ON_LAST}",
    # Days that are older than a week were judged before; an organization with few tasks is not judged.
    f"task_count = 0, without_deadline_count = 0 where day = '{LAST - timedelta(days=8)}'",
    f"task_count = case when day = '{LAST}' then 0 else 19 end, without_deadline_count = 0 where true",
)
ORGANIZATIONS = {change: UUID(int=number) for number, change in enumerate((*UNUSUAL, *OTHERS), 1)}


def _warned(warehouse: Warehouse) -> dict[UUID, set[str]]:
    """Return the tests that warn, by organization; a test's status says whether it names any."""
    result = warehouse.build("--select", VOLUME, MISSING, command="test")
    assert result.succeeded, result.output  # an anomaly is a warning
    statuses = dict(
        warehouse.rows(
            "select test_name, status from insights_ops.test_results where test_name = any(%s)", [VOLUME, MISSING]
        )
    )
    found: dict[UUID, set[str]] = {}
    for name in (VOLUME, MISSING):
        (compiled,) = Path(os.environ["DBT_TARGET_PATH"]).glob(f"compiled/**/{name}.sql")
        rows = warehouse.rows(f"select organization_id from ({compiled.read_text('utf-8')}) as found")
        assert statuses[name] == ("warn" if rows else "pass")
        for (organization,) in rows:
            found.setdefault(organization, set()).add(name)
    return found


def test_days_beyond_the_band_of_their_weekday_are_warnings(built: Warehouse) -> None:
    built.execute(f"delete from {COUNTS}")
    for changes, warned in ((OTHERS, {}), (UNUSUAL, UNUSUAL)):
        for change in changes:
            built.execute(USUAL.format(organization=ORGANIZATIONS[change], change=change))
        assert _warned(built) == {ORGANIZATIONS[change]: tests for change, tests in warned.items()}


def test_the_daily_counts_are_those_of_the_tasks(built: Warehouse) -> None:
    counted = built.rows(
        f"select organization_id, day, task_count, without_domain_count, without_deadline_count from {COUNTS}"
    )
    tasks: dict[tuple[object, date], list[int]] = {}
    for organization, day, domain, deadline in built.rows(
        "select organization_id, (created_at at time zone 'UTC')::date, type, deadline_at from insights.dim_tasks"
    ):
        found = tasks.setdefault((organization, day), [0, 0, 0])
        for place, counts in enumerate((True, domain is None, deadline is None)):
            found[place] += counts
    first = LAST - timedelta(days=62)
    assert {row[1] for row in counted} == {first + timedelta(days=number) for number in range(63)}
    assert len(counted) == 63 * len({row[0] for row in counted})
    assert {row[:2]: list(row[2:]) for row in counted if row[2]} == {k: v for k, v in tasks.items() if k[1] >= first}
    judged = {day for (day,) in built.rows(f"select day from {COUNTS} where is_judged")}
    assert judged == {LAST - timedelta(days=number) for number in range(7)}
