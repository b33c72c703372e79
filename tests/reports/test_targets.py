"""The dashboard of targets against plain Python, on the sample."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from support import reports_by_hand as by_hand
from support.dashboards.dashboard_scenario import ALL, HOSPITAL, OPEN, STORES, open_reader, rows
from support.warehouse import Warehouse

from orchestration.config.deployment.targets import FILE
from orchestration.config.files import PROJECT
from orchestration.dashboards.question import Asked
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

CUTOFF = date(2024, 1, 2)  # 730 days before 2026-01-01
END = datetime.combine(SAMPLE_AS_OF, time(), UTC)
Counts = dict[tuple[str, str, date], list[int]]


def _line(slug: str, domain: str, measure: str) -> dict[str, str] | None:
    """Return the line that counts: of the organization, else of the domain, else of all."""
    with (PROJECT / FILE).open(encoding="utf-8") as file:
        lines = {(x["organization_slug"], x["domain"], x["measure"]): x for x in csv.DictReader(file)}
    wanted = [(slug, domain), (slug, "*"), ("*", domain), ("*", "*")]
    return next((lines[(*each, measure)] for each in wanted if (*each, measure) in lines), None)


def _counts(sample: Warehouse, mine: Any, sees: tuple[str, ...]) -> Counts:
    """Return decided and met tasks by measure, domain and month of creation."""
    with connect(sample.admin_url) as connection:
        tasks = by_hand.read_tasks(connection, sample.settings, SAMPLE_AS_OF, CUTOFF)
    counts: Counts = defaultdict(lambda: [0, 0])
    for task in tasks:
        if task.organization_id == mine and task.visibility in sees and task.deadline_at:
            found = counts["kept_deadlines", task.domain, task.created_at.astimezone(UTC).date().replace(day=1)]
            found[0] += task.closed_at is not None or task.deadline_at < END
            found[1] += task.closed_at is not None and task.closed_at <= task.deadline_at
    chosen = dict(sample.rows("select organization_id, profile_code from organization_profiles"))
    for key, values in by_hand.sla_breaches(tasks, SAMPLE_AS_OF, sample.settings, chosen).items():
        if key[1] == mine and key[3] in sees:
            found = counts["responses_within_limit", key[2], key[0].replace(day=1)]
            found[0] += values[2]
            found[1] += values[2] - values[3]
    return counts


@pytest.mark.parametrize(("slug", "sees"), [(HOSPITAL, ALL), (STORES, OPEN), (STORES, ALL)])
def test_each_month_is_judged_by_the_line_that_counts(sample: Warehouse, slug: str, sees: tuple[str, ...]) -> None:
    mine = sample.value("select id from organizations where slug = %s", slug)
    expected = {}
    for (measure, domain, month), (decided, met) in _counts(sample, mine, sees).items():
        line = _line(slug, domain, measure)
        if line and decided:
            status = "on_track" if 100 * met >= int(line["target_percent"]) * decided else "off_track"
            status = "too_early" if decided < int(line["min_count"]) else status
            expected[measure, domain, str(month)] = (decided, met, status)
    found = {}
    for measure in ("kept_deadlines", "responses_within_limit", "completions_within_limit"):
        asked = Asked("targets", slug, sees, parameters={"months": 36, "measure": measure})
        for row in rows(open_reader(sample).ask(asked, ["auditor", "analyst"]), "by_month"):
            found[measure, row["domain"], str(row["month"])[:10]] = (row["decided"], row["met"], row["status"])
    assert found == expected
    assert {"on_track", "off_track", "too_early"} == {status for *_counts, status in found.values()}
