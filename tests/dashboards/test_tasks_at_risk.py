"""The dashboard of tasks at risk, against the tasks that are broken today and those that will be tomorrow."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from support import reports_by_hand as by_hand
from support.dashboards.dashboard_scenario import ALL, HOSPITAL, OPEN, STORES, open_reader, rows
from support.warehouse import Warehouse

from orchestration.dashboards.question import Asked
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

CLUB = "sample-walking-club"
CUTOFF = date(2024, 1, 2)  # 730 days before 2026-01-01


@pytest.fixture(scope="module")
def tasks(sample: Warehouse) -> list[by_hand.Task]:
    with connect(sample.admin_url) as connection:
        return by_hand.read_tasks(connection, sample.settings, SAMPLE_AS_OF, CUTOFF)


@pytest.fixture(scope="module")
def breaches(sample: Warehouse, tasks: list[by_hand.Task]) -> list[tuple[int, by_hand.Table]]:
    """Return what is broken tomorrow, to be added, and what is today, to be taken off."""
    chosen = dict(sample.rows("select organization_id, profile_code from organization_profiles"))
    days = ((1, SAMPLE_AS_OF + timedelta(days=1)), (-1, SAMPLE_AS_OF))
    return [(sign, by_hand.sla_breaches(tasks, day, sample.settings, chosen)) for sign, day in days]


@pytest.mark.parametrize(("slug", "sees"), [(HOSPITAL, ALL), (STORES, ALL), (STORES, OPEN), (CLUB, ALL)])
def test_it_is_what_would_be_broken_a_day_later(
    sample: Warehouse,
    tasks: list[by_hand.Task],
    breaches: list[tuple[int, by_hand.Table]],
    slug: str,
    sees: tuple[str, ...],
) -> None:
    mine = sample.value("select id from organizations where slug = %s", slug)
    # What is broken tomorrow and not today, if nothing happens.
    counts: Counter[tuple[str, str]] = Counter()
    for sign, table in breaches:
        for key, values in table.items():
            if key[1] == mine and key[3] in sees:
                counts[key[2], "first_response"] += sign * values[3]
                counts[key[2], "completion"] += sign * values[5]
    for task in tasks:
        if task.organization_id == mine and task.visibility in sees and task.closed_at is None and task.deadline_at:
            counts[task.domain, "deadline"] += (
                SAMPLE_AS_OF <= task.deadline_at.date() < SAMPLE_AS_OF + timedelta(days=1)
            )
    expected = +counts
    assert expected or slug != STORES
    answer = open_reader(sample).ask(Asked("tasks_at_risk", slug, sees), ["auditor", "analyst"])
    assert {(r["domain"], r["limit_kind"]): r["tasks"] for r in rows(answer, "by_domain")} == expected
    shown = rows(answer, "tasks")
    assert Counter((r["domain"], r["limit_kind"]) for r in shown) == expected
    assert [r["due_at"] for r in shown] == sorted(r["due_at"] for r in shown)
    assert all(0 <= r["seconds_left"] < 24 * 3600 for r in shown)
