"""Unusual days of the reports are found, by counts that are made for the test, and usual ones are not."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from datetime import date, timedelta

import pytest
from support.warehouse import Warehouse

from workshop.sample.load import SAMPLE_AS_OF

pytestmark = pytest.mark.services

COUNTS = "insights_staging.int_daily_counts"
LAST = SAMPLE_AS_OF - timedelta(days=1)
# One organization of nine weeks: 40 tasks on weekdays, 25 at weekends. A fifth has no deadline, all have a domain.
USUAL = f"""
    delete from {COUNTS};
    insert into {COUNTS} (organization_id, day, is_judged, task_count, without_domain_count, without_deadline_count)
    select '00000000-0000-0000-0000-0000000000aa', day, day > date '{LAST}' - 7, usual, 0, usual / 5
    from (
        select day::date, case when extract(isodow from day) > 5 then 25 else 40 end as usual
        from generate_series(date '{LAST}' - 62, date '{LAST}', interval '1 day') as series (day)
    ) as days
"""
VOLUME, MISSING = "assert_volume_is_usual", "assert_missing_values_are_usual"


def _warned(warehouse: Warehouse) -> set[str]:
    result = warehouse.build("--select", VOLUME, MISSING, "--write-json", command="test")
    assert result.succeeded, result.output  # an anomaly is a warning
    found = warehouse.rows(
        "select test_name, status from insights_ops.test_results where test_name = any(%s)", [VOLUME, MISSING]
    )
    assert len(found) == 2 and {status for _name, status in found} <= {"pass", "warn"}
    return {name for name, status in found if status == "warn"}


@pytest.mark.parametrize(
    ("change", "warned"),
    [
        ("task_count = task_count", set()),
        # December 31, 2025 is a Wednesday. Half of 40 and twice 40 are still usual.
        ("task_count = 20, without_deadline_count = 4", set()),
        ("task_count = 80, without_deadline_count = 16", set()),
        ("task_count = 19, without_deadline_count = 4", {VOLUME}),
        ("task_count = 81, without_deadline_count = 16", {VOLUME}),
        ("task_count = 0, without_deadline_count = 0", {VOLUME}),
        # A fifth lacks a deadline: 16 of 40 is a fifth more, 17 is beyond.
        ("without_deadline_count = 16", set()),
        ("without_deadline_count = 17", {MISSING}),
        ("without_domain_count = 9", {MISSING}),
    ],
)
def test_a_day_beyond_the_band_of_its_weekday_is_a_warning(built: Warehouse, change: str, warned: set[str]) -> None:
    built.execute(f"{USUAL}; update {COUNTS} set {change} where day = '{LAST}'")
    assert _warned(built) == warned


@pytest.mark.parametrize(
    ("change", "warned"),
    [
        # 51 tasks are usual on a Wednesday and more than twice 25 on the Sunday before.
        (f"task_count = 51, without_deadline_count = 10 where day = '{LAST - timedelta(days=3)}'", {VOLUME}),
        (f"task_count = 51, without_deadline_count = 10 where day = '{LAST}'", set()),
        # Days that are older than a week were judged before; an organization with few tasks is not judged.
        (f"task_count = 0, without_deadline_count = 0 where day = '{LAST - timedelta(days=8)}'", set()),
        (f"task_count = case when day = '{LAST}' then 0 else 19 end, without_deadline_count = 0", set()),
    ],
)
def test_weekday_age_and_size_decide_what_is_judged(built: Warehouse, change: str, warned: set[str]) -> None:
    built.execute(f"{USUAL}; update {COUNTS} set {change}")
    assert _warned(built) == warned


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
