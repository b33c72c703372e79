"""The pattern reviews of random scenarios against a plain Python implementation of the same rules, and over time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from support.cases_by_hand import VISIBILITIES
from support.operational_rows import read_operational
from support.pattern_rows import Pattern, differences, stored_patterns
from support.random_scenarios import load_scenarios
from support.reviews_by_hand import CADENCES, Rules, expected_patterns, read_rules, review_date
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT, Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

NEW_YEAR = date(2024, 1, 1)  # a Monday: all three reviews bear this date
WEDNESDAY = date(2024, 3, 6)  # after 29 February: the Monday before it, 1 March, and New Year once more
HELD_SINCE = NEW_YEAR - timedelta(days=730)  # raw retention at the first build
LONGER_RETENTION = {"dev": 1100, "prod": 1100}  # nothing of the yearly window leaves until Wednesday
EVERYTHING = ("--select", "+path:models/marts/patterns", "--exclude-resource-type", "test", "unit_test")
REVIEWS_ONLY = ("--select", "path:models/marts/patterns", "--exclude-resource-type", "test", "unit_test")
KINDS = {"incident_frequency", "high_risk_indicator", "cross_department_trend"}

# What happens in the scenarios between the two dates; the first byte of an id decides which rows change.
CHANGES = """
    create function pg_temp.draw(id uuid, sides int) returns int language sql as
        $$ select get_byte(uuid_send(id), 0) % sides $$;

    update cases set status = 'resolved', updated_at = '2024-02-20 09:00+00'
    where status in ('open', 'in_progress') and pg_temp.draw(id, 7) = 0;
    update cases set severity = 'CRITICAL', updated_at = '2024-02-20 09:00+00' where pg_temp.draw(id, 11) = 0;
    update cases set label = '101.94', location = '{"site": "B"}', updated_at = '2024-02-20 09:00+00'
    where pg_temp.draw(id, 13) = 0;

    delete from tasks where pg_temp.draw(id, 17) = 0;
    update tasks set type = 'maintenance', visibility = 'RESTRICTED', updated_at = '2024-02-21 09:00+00'
    where pg_temp.draw(id, 7) = 0;
    update tasks
    set
        case_id = (select c.id from cases as c where c.organization_id = tasks.organization_id order by c.id limit 1),
        updated_at = '2024-02-21 09:00+00'
    where pg_temp.draw(id, 11) = 0;

    update person_profiles
    set
        linked_user_id = (
            select u.id from user_accounts as u where u.organization_id = person_profiles.organization_id limit 1
        ),
        updated_at = '2024-02-22 09:00+00'
    where pg_temp.draw(id, 3) = 0;
    update person_profiles set confidentiality_level = 'sensitive', updated_at = '2024-02-22 09:00+00'
    where pg_temp.draw(id, 5) = 0;

    update organization_profiles set profile_code = 'hospital', updated_at = '2024-02-23 09:00+00'
    where pg_temp.draw(id, 4) = 0;
    update label_definitions set category = 'topic', updated_at = '2024-02-23 09:00+00'
    where category = 'risk' and pg_temp.draw(id, 5) = 0;
    delete from entity_labels where pg_temp.draw(id, 3) = 0;
"""


@pytest.fixture(scope="module")
def rules(settings: Settings) -> Rules:
    return read_rules(PROJECT)


@pytest.fixture(scope="module")
def reviewed_at_new_year(postgres: LocalPostgres, settings: Settings, rules: Rules) -> Warehouse:
    """Return 200 scenarios around the edges of both dates' windows, reviewed at New Year. Copy it, never use it."""
    ends = {cadence: {review_date(day, cadence) for day in (NEW_YEAR, WEDNESDAY)} for cadence in CADENCES}
    starts = {end - timedelta(days=rules.cadences[cadence]["window_days"]) for cadence in ends for end in ends[cadence]}
    warehouse = Warehouse("scenarios", postgres, settings)
    postgres.create_database(warehouse.name)
    with connect(warehouse.admin_url) as connection:
        load_scenarios(connection, 200, sorted(starts.union(*ends.values())))
        initialize(connection, settings)
    build(warehouse, NEW_YEAR, *EVERYTHING)
    return warehouse


@pytest.fixture
def scenarios(request: pytest.FixtureRequest, reviewed_at_new_year: Warehouse) -> Warehouse:
    """Return a copy of the scenarios at New Year, for one test."""
    name = f"{reviewed_at_new_year.name}_{request.node.name}"[:63]
    return Warehouse.copy_of(
        reviewed_at_new_year.name, name, reviewed_at_new_year.postgres, reviewed_at_new_year.settings
    )


def build(warehouse: Warehouse, as_of: date, *arguments: str, **variables: Any) -> None:
    variables = {"raw_event_retention_days": LONGER_RETENTION} | variables if as_of > NEW_YEAR else variables
    result = warehouse.build(*arguments, as_of=as_of, **variables)
    assert result.succeeded, result.output


def compare(warehouse: Warehouse, rules: Rules, as_of: date) -> dict[str, list[Pattern]]:
    """Compare all three reviews with plain Python on the same tables and return their rows."""
    with connect(warehouse.admin_url) as connection:
        rows = read_operational(connection)
    found = {}
    for cadence in CADENCES:
        found[cadence] = stored_patterns(warehouse, cadence, review_date(as_of, cadence))
        expected = expected_patterns(rows, rules, as_of, cadence, held_since=HELD_SINCE)
        wrong = differences(found[cadence], expected)
        assert not wrong, f"{len(wrong)} of {len(expected)} rows differ\n" + "\n".join(wrong[:10])
    return found


def versions(warehouse: Warehouse, cadence: str, review: date) -> set[tuple[str, str]]:
    """Return the transaction that wrote each row of a review."""
    query = f"select pattern_id::text, xmin::text from insights.pattern_{cadence} where review_date = %s"  # noqa: S608
    return {(pattern_id, transaction) for pattern_id, transaction in warehouse.rows(query, review)}


def rows_of(warehouse: Warehouse, cadence: str, review: date) -> dict[str, str]:
    """Return the rows of a review, without the moments of writing, by pattern_id."""
    query = (
        "select p.pattern_id::text, (to_jsonb(p) - 'loaded_at')::text"  # noqa: S608
        f" from insights.pattern_{cadence} as p where p.review_date = %s"
    )
    return dict(warehouse.rows(query, review))


def spoil(warehouse: Warehouse, cadence: str, review: date) -> None:
    """Change a count in the stored rows of a review whose pattern_id begins with a low digit, and delete others."""
    warehouse.execute(
        f"update insights.pattern_{cadence} set event_count = event_count + 1"  # noqa: S608
        f" where review_date = '{review}' and pattern_id::text < '6';"
        f"delete from insights.pattern_{cadence} where review_date = '{review}' and pattern_id::text > 'c'"
    )


def ids(warehouse: Warehouse, cadence: str, review: date) -> set[str]:
    return {pattern_id for pattern_id, _ in versions(warehouse, cadence, review)}


def new_ids(warehouse: Warehouse, cadence: str, review: date) -> set[str]:
    query = f"select pattern_id::text from insights.pattern_{cadence} where review_date = %s and is_new"  # noqa: S608
    return {pattern_id for (pattern_id,) in warehouse.rows(query, review)}


def begun_ids(warehouse: Warehouse, review: date, before: date) -> set[str]:
    """Return the patterns of a weekly review that the one before did not have, or only stricter ones (D7, D182)."""
    levels = "select pattern_id::text, visibility from insights.pattern_weekly where review_date = %s"
    earlier, now = (dict(warehouse.rows(levels, day)) for day in (before, review))
    return {i for i, v in now.items() if i not in earlier or VISIBILITIES.index(earlier[i]) > VISIBILITIES.index(v)}


def test_all_scenarios_agree_at_new_year(reviewed_at_new_year: Warehouse, rules: Rules) -> None:
    found = compare(reviewed_at_new_year, rules, NEW_YEAR)
    assert {p.kind for p in found["weekly"]} == {*KINDS, "needs_attention"}
    assert {p.kind for p in found["monthly"]} == {p.kind for p in found["yearly"]} == KINDS
    sources = Counter(p.threshold_source for cadence in CADENCES for p in found[cadence])
    assert set(sources) == {"config", "domain_profile", "organization_profile", "rule"}
    for cadence in CADENCES:
        assert new_ids(reviewed_at_new_year, cadence, NEW_YEAR) == ids(reviewed_at_new_year, cadence, NEW_YEAR)


def test_all_scenarios_agree_after_changes_and_a_leap_day(scenarios: Warehouse, rules: Rules) -> None:
    scenarios.execute(CHANGES)
    build(scenarios, WEDNESDAY, *EVERYTHING)
    found = compare(scenarios, rules, WEDNESDAY)
    assert {p.review_date for p in found["weekly"]} == {date(2024, 3, 4)}
    assert {p.review_date for p in found["monthly"]} == {date(2024, 3, 1)}
    assert {p.review_date for p in found["yearly"]} == {NEW_YEAR}, "the review of New Year, once more"
    assert ids(scenarios, "monthly", NEW_YEAR), "January's review stays next to March's"


def test_all_scenarios_agree_under_other_settings(scenarios: Warehouse, rules: Rules) -> None:
    patterns = {
        "weekly": {"window_days": 5, "min_events": 2, "min_distinct_sources": 2},
        "monthly": {"window_days": 61, "min_events": 2, "min_distinct_sources": 1},
        "yearly": {"window_days": 400, "min_events": 4, "min_distinct_sources": 1},
    }
    overrides = {"generic": "environmental_group", "Zoo": "default"}
    variables = {"default_profile_key": "advocacy_group", "overrides_by_domain": overrides, "patterns": patterns}
    selection = ("--select", "int_applicable_profiles", *REVIEWS_ONLY[1:])
    build(scenarios, NEW_YEAR, *selection, **variables)
    other = replace(rules, default_profile_key="advocacy_group", overrides_by_domain=overrides, cadences=patterns)
    found = compare(scenarios, other, NEW_YEAR)
    sources = {p.threshold_source for cadence in CADENCES for p in found[cadence]}
    assert sources == {"config", "domain_profile", "organization_profile", "default_profile", "rule"}


def test_reviews_over_time(scenarios: Warehouse, rules: Rules) -> None:
    next_monday = date(2024, 1, 8)
    first = {cadence: versions(scenarios, cadence, NEW_YEAR) for cadence in CADENCES}
    stored = {cadence: rows_of(scenarios, cadence, NEW_YEAR) for cadence in CADENCES}

    # A week later: the next weekly review, and the same monthly and yearly ones.
    build(scenarios, next_monday, *EVERYTHING)
    compare(scenarios, rules, next_monday)
    before, after = ids(scenarios, "weekly", NEW_YEAR), ids(scenarios, "weekly", next_monday)
    begun = begun_ids(scenarios, next_monday, NEW_YEAR)
    assert new_ids(scenarios, "weekly", next_monday) == begun
    assert begun > after - before and after - begun and before - after, "some begin, some persist, some end"
    assert versions(scenarios, "weekly", NEW_YEAR) == first["weekly"]
    for cadence in ("monthly", "yearly"):
        kept = {pattern for pattern, _ in versions(scenarios, cadence, NEW_YEAR) & first[cadence]}
        equal = rows_of(scenarios, cadence, NEW_YEAR).items() & stored[cadence].items()
        assert kept == {pattern for pattern, _ in equal} != set(), "what is equal is not written again"
        assert new_ids(scenarios, cadence, NEW_YEAR) == ids(scenarios, cadence, NEW_YEAR), "not compared with itself"

    # The Wednesday of that week: the same review once more, still compared with the one of the Monday before.
    second, found = versions(scenarios, "weekly", next_monday), rows_of(scenarios, "weekly", next_monday)
    build(scenarios, date(2024, 1, 10), *REVIEWS_ONLY)
    assert versions(scenarios, "weekly", next_monday) == second
    assert {pattern for pattern, _ in second} == after
    spoil(scenarios, "weekly", next_monday)
    build(scenarios, date(2024, 1, 10), *REVIEWS_ONLY)
    assert rows_of(scenarios, "weekly", next_monday) == found
    assert new_ids(scenarios, "weekly", next_monday) == begun
    assert versions(scenarios, "weekly", NEW_YEAR) == first["weekly"]

    # A replay of New Year's review: it is replaced, the newer one is left alone.
    third = versions(scenarios, "weekly", next_monday)
    build(scenarios, NEW_YEAR, *REVIEWS_ONLY)
    replayed = rows_of(scenarios, "weekly", NEW_YEAR)
    spoil(scenarios, "weekly", NEW_YEAR)
    build(scenarios, NEW_YEAR, *REVIEWS_ONLY)
    assert rows_of(scenarios, "weekly", NEW_YEAR) == replayed != {}
    assert versions(scenarios, "weekly", next_monday) == third
    assert new_ids(scenarios, "weekly", next_monday) == begun
    assert scenarios.value("select count(distinct review_date) from insights.pattern_weekly") == 2


def test_a_review_whose_window_is_cut_stays_as_it_was_made(scenarios: Warehouse) -> None:
    # 730 days before 2 January are 2 January 2022: the first day of the yearly window has left, of the others none.
    second_of_january = date(2024, 1, 2)
    shipped = {"raw_event_retention_days": {"dev": 730, "prod": 730}}
    made = {cadence: rows_of(scenarios, cadence, NEW_YEAR) for cadence in CADENCES}
    for cadence in CADENCES:
        spoil(scenarios, cadence, NEW_YEAR)
    kept = rows_of(scenarios, "yearly", NEW_YEAR)
    assert kept != made["yearly"]

    build(scenarios, second_of_january, *REVIEWS_ONLY, **shipped)
    assert rows_of(scenarios, "yearly", NEW_YEAR) == kept
    for cadence in ("weekly", "monthly"):
        assert rows_of(scenarios, cadence, NEW_YEAR) == made[cadence], "made again"

    # One that no load has made is made all the same, of what there is.
    scenarios.execute("delete from insights_ops.load_log where relation_name = 'pattern_yearly'")
    build(scenarios, second_of_january, *REVIEWS_ONLY, **shipped)
    again = rows_of(scenarios, "yearly", NEW_YEAR)
    assert again and not again.items() & (kept.items() - made["yearly"].items())
