"""What a digest says of reviews by hand, and its numbers, counted a second way in the facts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from support.digests.by_hand import (
    BEFORE_LAST,
    HOSPITAL,
    LAST,
    NEWEST,
    STORES,
    find,
    make_review,
    pattern_id,
)
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings
from orchestration.digests.contents import Cadence, Digest, Line, Question, Reviewed, read_digest, review_before
from orchestration.digests.months import DomainYear, Figure
from orchestration.warehouse.database import Database
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services
EARLIER = tuple(date.fromisoformat(day) for day in (BEFORE_LAST, LAST, NEWEST))
EXPORT_ROLE = "orgo_insights_export"


@pytest.fixture(scope="module")
def reviewed(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Iterator[Warehouse]:
    """Return the sample with three weekly reviews by hand."""
    with disposable_copy(built_sample, "digest_contents", postgres, settings) as warehouse:
        for day in (BEFORE_LAST, LAST, NEWEST):
            make_review(warehouse, day)
        both = (LAST, NEWEST)
        for number, cases in ((1, (3, 7)), (2, (9, 9))):  # goes on with more, goes on as it was
            for day, count in zip(both, cases, strict=True):
                find(warehouse, day, number, cases=count)
        find(warehouse, LAST, 3, severity="MODERATE")
        find(warehouse, NEWEST, 3, severity="CRITICAL", cases=2)  # rose, with fewer cases
        find(warehouse, LAST, 4, severity="MAJOR")
        find(warehouse, NEWEST, 4, severity="MINOR", cases=1)  # less severe: goes on
        find(warehouse, LAST, 5, cases=6)  # ended
        find(warehouse, BEFORE_LAST, 6, cases=6)  # had ended before
        find(warehouse, NEWEST, 7, is_new=True, since=NEWEST, severity="MAJOR", about="Kitchen")
        find(warehouse, NEWEST, 8, is_new=True, since=NEWEST, severity="MAJOR", cases=8, visibility="PUBLIC")
        # Nothing of these may be told.
        find(warehouse, NEWEST, 9, visibility="RESTRICTED", severity="CRITICAL", is_new=True, about="Secret")
        find(warehouse, NEWEST, 10, visibility="ANONYMISED", severity="CRITICAL", is_new=True, about="Secret")
        find(warehouse, LAST, 11, about="Secret")
        find(warehouse, NEWEST, 11, visibility="RESTRICTED", about="Secret")  # became stricter: has not ended
        find(warehouse, NEWEST, 12, slug=STORES, is_new=True, about="Elsewhere")
        find(warehouse, LAST, 13, slug=STORES, about="Elsewhere")
        yield warehouse


def asked(warehouse: Warehouse, cadence: Cadence = "weekly", slug: str = HOSPITAL, **other: Any) -> Question:
    organization = warehouse.value("select organization_id from insights.dim_organizations where slug = %s", slug)
    newest = {"weekly": date.fromisoformat(NEWEST)}.get(cadence, date(2026, 1, 1))
    given: dict[str, Any] = {
        "organization_id": organization,
        "cadence": cadence,
        "review_date": newest,
        "visibilities": ("PUBLIC", "INTERNAL"),
        "window_days": 28,
        "max_lines": 20,
        "earlier": EARLIER,
        "aggregates_from": date(1970, 1, 1),
        "aggregates_to": date(2026, 1, 1),
    }
    return Question(**given | other)


def digest(warehouse: Warehouse, question: Question) -> Digest:
    url = warehouse.postgres.url(warehouse.name, EXPORT_ROLE)
    with Database.open(warehouse.settings, url, autocommit=False) as db:
        return read_digest(db, question)


def numbers(found: Digest) -> dict[str, list[int]]:
    return {name: [line.pattern_id.int for line in section.lines] for name, section in found.sections.items()}


def test_each_pattern_is_below_the_heading_of_its_change_the_most_severe_first(reviewed: Warehouse) -> None:
    found = digest(reviewed, asked(reviewed))
    # MAJOR with eight cases comes before MAJOR with five; MODERATE with nine and seven before MINOR.
    assert numbers(found) == {"opened": [8, 7], "rose": [3], "goes_on": [2, 1, 4], "ended": [5]}
    assert found.sections["rose"].lines == (
        Line(
            pattern_id=pattern_id(3),
            kind="incident_frequency",
            kind_name="Incident frequency",
            about='101.12.Facilities cleaning "lobby"',
            severity="CRITICAL",
            severity_before="MODERATE",
            cases=2,
            cases_before=5,
            sources=4,  # visible ones, not the nine of all
            since=date(2026, 1, 26),
        ),
    )
    ended = found.sections["ended"].lines[0]
    assert (ended.cases, ended.cases_before, ended.severity_before) == (6, None, None)
    assert [line.cases_before for line in found.sections["goes_on"].lines] == [9, 3, 5]
    assert found.window == (date(2026, 1, 12), date(2026, 2, 8))
    assert found.has_review_before
    assert (found.slug, found.organization) == (HOSPITAL, "Sample Hospital")
    assert (found.months, found.figures, found.domains) == ((), (), ())


def test_the_history_has_each_review_also_one_that_found_nothing(reviewed: Warehouse) -> None:
    days = (date(2026, 1, 19), *EARLIER)
    found = digest(reviewed, asked(reviewed, earlier=days)).history
    # By hand: 6; 1, 2, 3, 4 and 5, but not 11, which is stricter now; then 7 and 8 new, and 1 to 4.
    expected = [(0, 0), (0, 1), (0, 5), (2, 4)]
    assert found == tuple(Reviewed(day, *counts) for day, counts in zip(days, expected, strict=True))


def test_nothing_of_a_stricter_pattern_or_of_another_organization_is_read(reviewed: Warehouse) -> None:
    assert "Secret" not in str(digest(reviewed, asked(reviewed)))
    assert "Elsewhere" not in str(digest(reviewed, asked(reviewed)))
    public = digest(reviewed, asked(reviewed, visibilities=("PUBLIC",)))
    assert numbers(public) == {"opened": [8], "rose": [], "goes_on": [], "ended": []}
    assert numbers(digest(reviewed, asked(reviewed, slug=STORES))) == {
        **{"opened": [12], "rose": [], "goes_on": []},
        "ended": [13],
    }


def test_a_month_that_is_not_loaded_is_not_told_as_one_without_tasks(reviewed: Warehouse) -> None:
    # December is not loaded yet.
    found = digest(reviewed, asked(reviewed, "monthly", aggregates_to=date(2025, 12, 1)))
    assert [month.month for month in found.months] == [date(2025, 11, 1)]
    assert [figure.now for figure in found.figures] == [None] * 4
    assert found.figures[0].before is not None and found.figures[0].before > 0
    assert digest(reviewed, asked(reviewed, "yearly", aggregates_to=date(2025, 12, 1))).domains == ()


def test_the_window_is_that_of_the_review_whatever_the_configuration_is_now(reviewed: Warehouse) -> None:
    assert digest(reviewed, asked(reviewed, window_days=7)).window == (date(2026, 1, 12), date(2026, 2, 8))
    nothing = digest(reviewed, asked(reviewed, window_days=7, visibilities=()))
    assert nothing.window == (date(2026, 2, 2), date(2026, 2, 8))


def test_what_is_left_out_is_counted(reviewed: Warehouse) -> None:
    section = digest(reviewed, asked(reviewed, max_lines=1)).sections["goes_on"]
    assert ([line.pattern_id.int for line in section.lines], section.left_out, section.count) == ([2], 2, 3)


@pytest.mark.parametrize(
    ("cadence", "day", "before"),
    [
        ("weekly", "2026-01-05", "2025-12-29"),
        ("monthly", "2026-03-01", "2026-02-01"),
        ("monthly", "2026-01-01", "2025-12-01"),
        ("yearly", "2024-01-01", "2023-01-01"),
    ],
)
def test_the_review_before_is_a_date_of_the_calendar(cadence: Cadence, day: str, before: str) -> None:
    assert review_before(cadence, date.fromisoformat(day)) == date.fromisoformat(before)


# Tasks that may be told of, counted in the facts: the digest reads the monthly trends.
COUNTED = """
    select
        count(*) filter (where f.created_date_key >= %(since)s),
        count(*) filter (where f.closed_date_key >= %(since)s and f.closed_date_key < '2026-01-01'),
        count(*) filter (where f.closed_date_key is null or f.closed_date_key >= '2026-01-01'),
        count(*) filter (where t.deadline_at >= %(since)s and t.deadline_at < '2026-01-01'),
        count(*) filter (
            where
                t.deadline_at >= %(since)s and t.deadline_at < '2026-01-01'
                and (t.closed_at is null or t.closed_at > t.deadline_at)
        )
    from insights.fact_tasks as f
    inner join insights.dim_tasks as t on f.task_id = t.task_id and f.organization_id = t.organization_id
    inner join insights.dim_organizations as o on f.organization_id = o.organization_id
    where
        o.slug = 'sample-hospital' and f.visibility in ('PUBLIC', 'INTERNAL') and f.created_date_key < '2026-01-01'
        and (%(domain)s::text is null or t.type = %(domain)s)
"""


def counted(warehouse: Warehouse, since: str, domain: str | None = None) -> tuple[int, ...]:
    with Database.open(warehouse.settings, warehouse.admin_url) as db:
        return db.rows(COUNTED, {"since": since, "domain": domain})[0]


def test_the_figures_of_a_month_are_those_of_the_facts(reviewed: Warehouse) -> None:
    opened, closed, backlog, deadlines, missed = counted(reviewed, "2025-12-01")
    found = {figure.name: figure for figure in digest(reviewed, asked(reviewed, "monthly")).figures}
    assert (found["opened"].now, found["closed"].now, found["open at the end"].now) == (opened, closed, backlog)
    assert found["deadlines missed"].now == pytest.approx(missed / deadlines)
    assert opened > 0 and missed > 0
    (before,) = reviewed.rows(
        "select count(*) from insights.fact_tasks as f join insights.dim_organizations as o using (organization_id)"
        " where o.slug = 'sample-hospital' and f.visibility in ('PUBLIC', 'INTERNAL')"
        " and f.created_date_key >= '2025-11-01' and f.created_date_key < '2025-12-01'"
    )
    assert (found["opened"].before,) == before


def test_a_year_has_its_domains_as_far_as_its_months_are_kept(reviewed: Warehouse) -> None:
    # The sample of dev keeps the raw events of two months, so nothing is known of the year.
    kept = digest(reviewed, asked(reviewed, "yearly", aggregates_from=date(2025, 11, 1)))
    assert (kept.domains, len(kept.months)) == ((), 2)
    assert [(figure.now, figure.before) for figure in kept.figures] == [(None, None)] * 4
    opened, _, _, deadlines, missed = counted(reviewed, "2025-11-01", "maintenance")
    # An organization that began in November 2025, in a warehouse that knows two years.
    found = digest(reviewed, asked(reviewed, "yearly", max_lines=2))
    assert found.domains[0] == DomainYear("maintenance", opened, 0, missed / deadlines)
    assert len(found.domains) == 2
    assert found.figures[0] == Figure("opened", False, counted(reviewed, "2025-11-01")[0], 0)
    half = digest(reviewed, asked(reviewed, "yearly", aggregates_from=date(2025, 1, 1)))
    assert half.domains[0].opened_before is None
    assert half.figures[0] == Figure("opened", False, counted(reviewed, "2025-11-01")[0], None)
