"""A quarter of daily loads with their reviews, in which a pattern comes, goes and comes back. All days are of 2026."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner
from small_world import uid
from warehouse import Warehouse

from orchestration import dbt
from orchestration.config.files import PROJECT, Settings, dbt_variables
from orchestration.local import LocalPostgres
from orchestration.operational import create_operational_schema
from orchestration.warehouse.connection import child_environment, connect
from orchestration.warehouse.init import initialise

pytestmark = pytest.mark.services

REVIEWED = ("int_case_lifecycle", "dim_cases", "fact_cases", "path:models/marts/patterns", "review_requests")
FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)

# What happens in the lobby; every change is of 10:00 of its day and so is loaded by the next day's build.
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
# The second of these review cases comes back without its metadata: only the outbox knows whose it is.
FORGOTTEN = date(2026, 2, 23)

# Three cases in 28 days fire on 19 January (7, 8 and 13 January), until the window begins on 12 January, and again with
# 17 to 19 February until it begins on 23 February. On 12 January there were two, and three after the late one came.
EPISODES = {
    **{date(2026, 1, 12): date(2026, 1, 12)},
    **dict.fromkeys((date(2026, 1, 19), date(2026, 1, 26), date(2026, 2, 2)), date(2026, 1, 19)),
    **dict.fromkeys((date(2026, 2, 23), date(2026, 3, 2), date(2026, 3, 9), date(2026, 3, 16)), date(2026, 2, 23)),
}
REQUESTS = [
    ("weekly", date(2026, 1, 19), date(2026, 1, 19), "MINOR"),
    ("weekly", date(2026, 1, 26), date(2026, 1, 19), "MAJOR"),
    ("weekly", date(2026, 2, 23), date(2026, 2, 23), "MINOR"),
    ("monthly", date(2026, 3, 1), date(2026, 3, 1), "MAJOR"),
]

Load = Callable[[date], None]


@pytest.fixture
def hall(
    postgres: LocalPostgres, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Warehouse, Load]:
    """A warehouse with one organization and everything but its cases, and a load of its cases and reviews.

    The loads run in one process on one manifest: a process for each of the ninety days would take ten minutes.
    """
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
        initialise(connection, settings)
        connection.execute("update insights_ops.profiles set updated_at = '2025-01-01'")
    first = warehouse.build(
        "--select", "+review_requests", "fact_cases", "--exclude-resource-type", "test", as_of=FIRST
    )
    assert first.succeeded, first.output

    for name, value in child_environment(warehouse.etl_url, {"DBT_TARGET_PATH": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    places = ["--profiles-dir", str(PROJECT / "profiles"), "--project-dir", str(PROJECT), "--quiet"]
    parsed = dbtRunner().invoke(["parse", *places])
    assert parsed.success, parsed.exception
    runner = dbtRunner(manifest=parsed.result)  # type: ignore[arg-type]

    def load(as_of: date) -> None:
        variables: dict[str, Any] = dbt_variables(settings) | dbt.as_of_variable(as_of)
        result = runner.invoke(["run", "--select", *REVIEWED, *places, "--vars", json.dumps(variables)])
        assert result.success, (as_of, result.exception, [r.message for r in result.result])  # type: ignore[union-attr]

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
    """What Core Services does with every new request: a Case that is loaded like any other."""
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
    """What happens on one day, after its load."""
    for name, opened in OPENED.items():
        if opened == day:
            open_case(warehouse, name, opened, day)
    if day == LATE:
        open_case(warehouse, "late", date(2026, 1, 6), LATE)
    if day in CHANGES:
        warehouse.rows(CHANGES[day] + " returning id", f"{day} 10:00+00")
    open_review_cases(warehouse, day)


def test_episodes_over_a_quarter_of_daily_loads(hall: tuple[Warehouse, Load]) -> None:
    warehouse, load = hall
    day, asked = FIRST, 0
    while day <= LAST:
        load(day)
        for replayed in REPLAYS.get(day, ()):
            load(replayed)
        requests = warehouse.rows(
            """
            select cadence, review_date, episode_start, severity
            from insights_ops.review_requests
            order by review_date
            """
        )
        assert requests == [request for request in REQUESTS if request in requests], f"asked on {day}"
        assert len(requests) >= asked, "a request is never withdrawn"
        asked = len(requests)
        live(warehouse, day)
        day += timedelta(days=1)

    assert requests == REQUESTS
    found = warehouse.rows("select review_date, episode_start, is_new from insights.pattern_weekly order by 1")
    assert found == [(review, start, review == start) for review, start in sorted(EPISODES.items())]
    assert warehouse.rows("select review_date, event_count from insights.pattern_monthly") == [(date(2026, 3, 1), 7)]
    assert warehouse.value("select count(*) from insights.pattern_yearly") == 0

    # Four reviews of January and February listed case a, and that of March; the review cases are nobody's evidence.
    counts = "select review_count from insights.fact_cases where case_id = %s"
    assert warehouse.value(counts, uid("a")) == 5
    own = "select count(*), count(*) filter (where is_own_review) from insights.dim_cases where label like '11.%'"
    assert warehouse.rows(own) == [(4, 4)]
