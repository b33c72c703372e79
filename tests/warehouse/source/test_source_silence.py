"""A source that has stopped writing is told apart from loads that have stopped, by table, and stops no load."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.config.model import silent_hours
from orchestration.config.tokens import WATCHED
from orchestration.runs.readiness import Needs, lacking, notices
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.database import Database
from orchestration.warehouse.source.guard import Confirmed
from orchestration.warehouse.source.rows import source_rows
from orchestration.warehouse.source.silence import Silence, silences

SECOND = 1 / 3600


def seen(hours: float, stale: int = 48, stopped: int = 168) -> Silence:
    """Return events whose newest change was so many hours before a load looked, at noon of January 31."""
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    return Silence("task_events", datetime.fromtimestamp(noon.timestamp() - hours * 3600, UTC), noon, stale, stopped)


@pytest.mark.parametrize(
    ("hours", "state"),
    [
        *((-1, "fresh"), (0, "fresh"), (48, "fresh"), (48 + SECOND, "stale")),
        *((168, "stale"), (168 + SECOND, "stopped")),
    ],
)
def test_the_limits_are_the_last_hours_that_are_allowed(hours: float, state: str) -> None:
    assert seen(hours).state == state
    assert seen(-1).seconds == 0


def test_the_sentence_is_about_orgo() -> None:
    assert str(seen(72)) == (
        "Orgo may have stopped writing: no row of task_events had changed for 72 hours (limit: 48) when the last load"
        " looked at 2026-01-31 12:00 UTC; the newest change is of 2026-01-28 12:00 UTC. Loads work: look at Orgo, or at"
        " the replication that fills it."
    )
    assert str(seen(240)).startswith(
        "Orgo has stopped writing: no row of task_events had changed for 240 hours (limit: 168)"
    )


def test_the_watched_tables_are_those_with_freshness() -> None:
    assert {table.name for table in contract_tables() if table.changed_at} == set(WATCHED)


def needs(*, checks_rows: bool) -> Needs:
    return Needs(checks_rows=checks_rows)


def seconds(warehouse: Warehouse, settings: Settings) -> dict[str, float]:
    with Database.open(settings, warehouse.etl_url) as db:
        return {one.table: one.seconds for one in silences(db)}


@pytest.fixture
def here(prepared: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of a process that connects to the sample before any load."""
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    return replace(settings)


@pytest.mark.services
def test_a_gate_says_what_orgo_has_stopped_writing_and_lets_the_load_begin(prepared: Warehouse, here: Settings) -> None:
    assert notices(here, needs(checks_rows=True)) == [], "nothing was ever looked at"
    # Roles and profiles have rested for years, and the comments of this Orgo may rest for a year.
    prepared.execute(
        "update tasks set updated_at = now() - interval '20 hours' where id = (select id from tasks limit 1);"
        "update task_events set created_at = now() - interval '100 hours' where created_at = ("
        "select max(created_at) from task_events);"
        "update roles set updated_at = '2020-01-01'; update organization_profiles set updated_at = '2020-01-01'"
    )
    etl = here.insights.etl.model_validate(
        here.insights.etl.model_dump() | {"source_hours": {"task_comments": {"stale": 99_000, "stopped": 99_001}}}
    )
    mine = replace(here, insights=here.insights.model_copy(update={"etl": etl}))
    assert lacking(mine, needs(checks_rows=True), date(2026, 1, 1), Confirmed()) is None
    (said,) = notices(mine, needs(checks_rows=True))
    assert said.startswith("Orgo may have stopped writing: no row of task_events had changed for 100 hours (limit: 72)")
    assert notices(mine, needs(checks_rows=False)) == [], "a review reads no source"
    assert set(seconds(prepared, mine)) == set(WATCHED)
    before = seconds(prepared, mine)
    assert before["tasks"] == pytest.approx(20 * 3600, abs=900)
    # Orgo writes again, and no load looks: what the last one saw stays, so that nobody blames Orgo, nor clears it.
    prepared.execute("update task_events set created_at = now() where id = (select id from task_events limit 1)")
    assert seconds(prepared, mine) == before
    assert lacking(mine, needs(checks_rows=True), date(2026, 1, 1), Confirmed()) is None
    assert notices(mine, needs(checks_rows=True)) == []


@pytest.mark.services
def test_a_warehouse_that_stays_at_one_day_is_judged_as_of_it(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(here, needs(checks_rows=True), date(2026, 1, 1), Confirmed())
    assert len(notices(here, needs(checks_rows=True))) == 3  # the sample ends with 2025
    monkeypatch.setenv("INSIGHTS_AS_OF", "2026-01-01")
    assert notices(here, needs(checks_rows=True)) == []


def test_a_weekend_is_no_silence(settings: Settings) -> None:
    stale, stopped = silent_hours(settings.insights.etl, "tasks")
    friday, monday = datetime(2026, 1, 30, 17, tzinfo=UTC), datetime(2026, 2, 2, 2, tzinfo=UTC)
    assert Silence("tasks", friday, monday, stale, stopped).state == "fresh"


@pytest.mark.services
def test_a_row_of_the_future_hides_no_silence(prepared: Warehouse, here: Settings) -> None:
    prepared.execute(
        "update tasks set updated_at = now() - interval '20 hours';"
        "update tasks set updated_at = '2099-01-01' where id = (select id from tasks limit 1)"
    )
    lacking(here, needs(checks_rows=True), date(2026, 1, 1), Confirmed())
    assert seconds(prepared, here)["tasks"] == pytest.approx(20 * 3600, abs=900)


@pytest.mark.services
def test_a_column_without_a_zone_is_in_utc(prepared: Warehouse, here: Settings) -> None:
    prepared.execute(
        "alter table task_events alter created_at type timestamp using created_at at time zone 'UTC';"
        "update task_events set created_at = (now() - interval '20 hours') at time zone 'UTC'"
    )
    with Database.open(here, prepared.etl_url) as db:
        db.execute("set time zone 'Pacific/Auckland'")
        (found,) = [one for one in source_rows(db, "-infinity", "-infinity") if one.table == "task_events"]
    assert found.newest_at is not None
    assert (datetime.now(UTC) - found.newest_at).total_seconds() == pytest.approx(20 * 3600, abs=900)


@pytest.mark.services
def test_an_empty_table_is_not_judged(prepared: Warehouse, here: Settings) -> None:
    prepared.execute("delete from task_comments")
    lacking(here, needs(checks_rows=True), date(2026, 1, 1), Confirmed())
    assert set(seconds(prepared, here)) == {"tasks", "task_events"}


@pytest.mark.services
def test_a_database_without_the_column_says_that_it_does_not_know(prepared: Warehouse, here: Settings) -> None:
    prepared.execute("alter table insights_ops.source_counts drop column newest_at")
    (said,) = notices(here, needs(checks_rows=True))
    assert said.startswith("Whether Orgo still writes is not known: ") and "insights init" in said
