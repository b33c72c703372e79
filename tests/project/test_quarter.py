"""A quarter of loads with their reviews, in which a pattern comes, goes and comes back. All days are of 2026."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from support.small_scenario import uid
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.operational import create_operational_schema
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

CASES = ("int_case_lifecycle", "personal_cases", "dim_cases", "fact_cases")
REVIEWS = ("path:models/marts/patterns", "review_requests")
FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)

# What happens in the lobby; every change is of 10:00 of its day and so is loaded by the next build.
OPENED = {
    **{"a": date(2026, 1, 7), "b": date(2026, 1, 8), "c": date(2026, 1, 13)},
    **{"d": date(2026, 2, 17), "e": date(2026, 2, 18), "f": date(2026, 2, 19)},
}
CHANGES = {
    date(2026, 1, 28): "update cases set severity = 'MAJOR', updated_at = %s where source_reference = 'b'",
    date(2026, 3, 4): "update cases set location = '{}', updated_at = %s where source_reference = 'e'",
    date(2026, 3, 6): "update cases set location = '\"lobby\"', updated_at = %s where source_reference = 'e'",
}
# A case of 6 January arrives on 4 February; then the reviews of 12 and 19 January are replayed.
LATE = date(2026, 2, 4)
REPLAYS = {date(2026, 2, 5): (date(2026, 1, 14), date(2026, 1, 21))}
QUIET = date(2026, 1, 22)  # a Thursday within an episode
# The second of these review cases comes back without its metadata: only the outbox knows whose it is.
FORGOTTEN = date(2026, 2, 23)

# Three cases in 28 days fire on 19 January (7, 8 and 13 January), until the window begins on 12 January, and again with
# 17 to 19 February until it begins on 23 February. On 12 January there were two, and three after the late one came.
EPISODES = {
    **{date(2026, 1, 12): date(2026, 1, 12)},
    **dict.fromkeys((date(2026, 1, 19), date(2026, 1, 26), date(2026, 2, 2)), date(2026, 1, 19)),
    **dict.fromkeys((date(2026, 2, 23), date(2026, 3, 2), date(2026, 3, 9), date(2026, 3, 16)), date(2026, 2, 23)),
}
# The review of 12 January fires in its replay only; that of 2 March finds two cases while case e is elsewhere.
UNSEEN = {
    date(2026, 1, 12): (FIRST, LATE),
    date(2026, 3, 2): (date(2026, 3, 5), date(2026, 3, 6)),
}
# Each request with the day that asks: a Monday, the day after case b became MAJOR, a Monday, the first of a month.
REQUESTS = {
    date(2026, 1, 19): ("weekly", date(2026, 1, 19), date(2026, 1, 19), "MINOR"),
    date(2026, 1, 29): ("weekly", date(2026, 1, 26), date(2026, 1, 19), "MAJOR"),
    date(2026, 2, 23): ("weekly", date(2026, 2, 23), date(2026, 2, 23), "MINOR"),
    date(2026, 3, 1): ("monthly", date(2026, 3, 1), date(2026, 3, 1), "MAJOR"),
}

Load = Callable[..., None]


def is_reviewed(day: date) -> bool:
    """Return whether a day's load reviews: Mondays, firsts, after a change, and once when nothing has happened."""
    return day.weekday() == 0 or day.day == 1 or day - timedelta(days=1) in CHANGES or day == QUIET


def is_loaded(day: date) -> bool:
    """Return whether a day has a load: for a review or for its replay. The first day was loaded before."""
    return day > FIRST and (is_reviewed(day) or day in REPLAYS)


@pytest.fixture
def hall(postgres: LocalPostgres, settings: Settings) -> tuple[Warehouse, Load]:
    """Return a warehouse with one organization and no cases, and a function that loads the given models."""
    postgres.create_database("quarter")
    warehouse = Warehouse("quarter", postgres, settings)
    with connect(warehouse.admin_url) as connection:
        create_operational_schema(connection)
        connection.execute(
            """
            insert into organizations (id, slug, display_name, timezone, created_at, updated_at)
            values (%s, 'hall', 'Hall', 'UTC', '2025-01-01', '2025-01-01')
            """,
            [uid("hall")],
        )
        initialize(connection, settings)
        connection.execute("update insights_ops.profiles set updated_at = '2025-01-01'")

    def load(as_of: date, *models: str) -> None:
        result = warehouse.build("--select", *models, "--exclude-resource-type", "test", "unit_test", as_of=as_of)
        assert result.succeeded, (as_of, result.output)

    load(FIRST, "+review_requests", "fact_cases")
    return warehouse, load


def open_case(warehouse: Warehouse, name: str, opened: date, arrived: date) -> None:
    warehouse.rows(
        """
        insert into cases (
            id, organization_id, source_type, source_reference, label, title, severity, origin_vertical_level,
            origin_role, location, metadata, created_at, updated_at
        )
        values (
            %s, %s, 'email', %s, '1001.12.Facilities', 'Wet floor', 'MINOR', 1001, 'Facilities', '"lobby"', '{}', %s, %s
        )
        returning id
        """,
        uid(name), uid("hall"), name, f"{opened} 10:00+00", f"{arrived} 10:00+00",
    )  # fmt: skip


def open_review_cases(warehouse: Warehouse, day: date) -> None:
    """Open a Case for every new request, as Core Services does; it is loaded like any other."""
    warehouse.rows(
        """
        insert into cases (
            id, organization_id, source_type, label, title, severity, origin_vertical_level, origin_role, location,
            metadata, created_at, updated_at
        )
        select
            case_id, organization_id, 'api', payload ->> 'label', payload ->> 'title',
            cast(upper(payload ->> 'severity') as task_severity),
            cast(payload ->> 'origin_vertical_level' as integer), payload ->> 'origin_role', payload -> 'location',
            case when review_date = %s then '{}' else payload -> 'metadata' end, %s, %s
        from insights_ops.review_requests
        on conflict do nothing
        returning id
        """,
        FORGOTTEN, f"{day} 10:00+00", f"{day} 10:00+00",
    )  # fmt: skip


def live(warehouse: Warehouse, day: date) -> None:
    """Apply the changes of one day, after its load."""
    for name, opened in OPENED.items():
        if opened == day:
            open_case(warehouse, name, opened, day)
    if day == LATE:
        open_case(warehouse, "late", date(2026, 1, 6), LATE)
    if day in CHANGES:
        warehouse.rows(CHANGES[day] + " returning id", f"{day} 10:00+00")
    open_review_cases(warehouse, day)


def expected_episodes(day: date) -> list[tuple[date, date, bool]]:
    """Return, in order, the weekly reviews that have found the pattern after the load of a day."""
    unseen = {review for review, (first, last) in UNSEEN.items() if first <= day <= last}
    seen = sorted((review, start) for review, start in EPISODES.items() if review <= day and review not in unseen)
    return [(review, start, review == start) for review, start in seen]


@pytest.mark.timeout(1800)  # twenty loads, on a machine that may be busy
def test_episodes_over_a_quarter(hall: tuple[Warehouse, Load]) -> None:
    warehouse, load = hall
    day = FIRST
    while day <= LAST:
        if is_loaded(day):
            load(day, *CASES, *(REVIEWS if is_reviewed(day) else ()))
        for replayed in REPLAYS.get(day, ()):
            load(replayed, *CASES, *REVIEWS)
        requests = warehouse.rows(
            """
            select cadence, review_date, episode_start, severity
            from insights_ops.review_requests
            order by review_date
            """
        )
        assert requests == [request for asked, request in REQUESTS.items() if asked <= day], f"asked on {day}"
        found = warehouse.rows("select review_date, episode_start, is_new from insights.pattern_weekly order by 1")
        assert found == expected_episodes(day), f"found on {day}"
        live(warehouse, day)
        day += timedelta(days=1)

    assert [review for review, _, _ in found] == sorted(EPISODES)
    assert warehouse.rows("select review_date, event_count from insights.pattern_monthly") == [(date(2026, 3, 1), 7)]
    assert warehouse.value("select count(*) from insights.pattern_yearly") == 0

    # Four reviews of January and February listed case a, and that of March. Review cases are never evidence.
    counts = "select review_count from insights.fact_cases where case_id = %s"
    assert warehouse.value(counts, uid("a")) == 5
    own = "select count(*), count(*) filter (where is_own_review) from insights.dim_cases where label like '11.%'"
    assert warehouse.rows(own) == [(4, 4)]
