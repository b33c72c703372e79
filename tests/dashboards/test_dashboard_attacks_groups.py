"""Attempts to see single cases in the anonymised form of a dashboard. None succeeds."""

from __future__ import annotations

from typing import Any

import pytest
from support.dashboards.dashboard_scenario import HOSPITAL, open_reader, rows
from support.warehouse import Warehouse

from orchestration.dashboards.question import Asked
from orchestration.dashboards.reader import Reader

pytestmark = pytest.mark.services


def strict_scenario(built: Warehouse) -> None:
    """Replace the hospital's weekly review by ANONYMISED groups of 4, 5, 9 and 10 cases that differ in nothing else."""
    built.execute("""
        create temp table model as
        select * from insights.pattern_weekly as p
        where review_date = '2025-12-29' and kind = 'incident_frequency'
            and organization_id = (select id from organizations where slug = 'sample-hospital')
        limit 1;
        delete from insights.pattern_weekly where review_date = '2025-12-29';
        insert into insights.pattern_weekly
        select (jsonb_populate_record(model, jsonb_build_object(
            'pattern_id', gen_random_uuid(), 'visibility', 'ANONYMISED',
            'event_count', size, 'distinct_sources', sources, 'label', 'Secret-Label', 'location', 'Secret-Place'
        ))).*
        from model, (values (4, 4), (5, 5), (9, 9), (10, 3), (10, 10)) as groups (size, sources);
    """)


def weekly(reader: Reader, **given: Any) -> list[dict[str, Any]]:
    return rows(reader.ask(Asked("open_patterns", HOSPITAL, is_anonymised=True, **given), ["analyst"]), "weekly")


def test_small_groups_are_neither_shown_nor_counted(built: Warehouse) -> None:
    strict_scenario(built)
    (row,) = weekly(open_reader(built))
    # 5, 9 and 10 cases of as many sources; 4 are too few, and so are 3 sources. In steps of 5: 5 + 5 + 10.
    assert (row["patterns"], row["cases_at_least"]) == (3, 20)
    assert weekly(open_reader(built, exports__min_group_size=11)) == []


def test_the_plain_form_shows_nothing_of_anonymised_groups(built: Warehouse) -> None:
    strict_scenario(built)
    plain = open_reader(built).ask(Asked("open_patterns", HOSPITAL), ["auditor", "analyst"])
    assert rows(plain, "weekly") == []
    overview = open_reader(built).ask(Asked("overview", HOSPITAL), ["auditor", "analyst"])
    assert rows(overview, "patterns") == []
    anonymised = open_reader(built).ask(Asked("open_patterns", HOSPITAL, is_anonymised=True), ["analyst"])
    assert b"Secret" not in anonymised.entry.body


def test_two_small_groups_by_the_difference_of_two_questions(built: Warehouse) -> None:
    strict_scenario(built)
    reader = open_reader(built)
    everything = {(r["kind"], r["domain"], r["severity"]): r for r in weekly(reader)}
    kinds = ("incident_frequency", "high_risk_indicator", "cross_department_trend", "needs_attention")
    single: dict[Any, Any] = {}
    for kind in kinds:
        part = weekly(reader, parameters={"kinds": kind})
        single |= {(r["kind"], r["domain"], r["severity"]): r for r in part}
        without = weekly(reader, parameters={"kinds": ",".join(k for k in kinds if k != kind)})
        left = {(r["kind"], r["domain"], r["severity"]): r for r in without}
        assert left == {key: row for key, row in everything.items() if key[0] != kind}
    assert single == everything  # nothing appears in a part that is not in the whole


def test_one_case_more_or_less_between_two_reviews_does_not_show(built: Warehouse) -> None:
    strict_scenario(built)
    reader = open_reader(built)
    before = weekly(reader)
    built.execute("update insights.pattern_weekly set event_count = event_count - 1 where event_count = 9")
    built.execute("update insights.pattern_weekly set event_count = event_count + 3 where event_count = 10")
    built.execute("update insights.pattern_weekly set event_count = event_count + 1 where event_count = 5")
    assert weekly(reader) == before
