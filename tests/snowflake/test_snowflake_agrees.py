"""Marts in Snowflake have the rows of PostgreSQL, on fakesnow, an emulator: `./dev snowflake test`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

pytest.importorskip(
    "fakesnow", reason="the emulator of Snowflake is in an environment of its own: ./dev snowflake test"
)

from support.deployed.deployed_schema import delete_like_deployed
from support.deployed.ten_days import DAYS, day_of_life
from support.engines.emulated_snowflake import Snowflake, differences, emulator
from support.policy import manifest, nodes
from support.random_scenarios import load_scenarios
from support.warehouse import NO_TESTS, Warehouse, disposable_copy

from orchestration.config.files import Settings
from orchestration.retention import purge as in_postgres
from orchestration.retention.plan import load_plan
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.init import initialize
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = [pytest.mark.services, pytest.mark.timeout(2400)]

LOADS = (DAYS[0], DAYS[3])
PURGED = DAYS[3] + timedelta(days=1)
NEW_YEAR = date(2024, 1, 1)  # a Monday: all three reviews bear this date
WINDOWS = (28, 180, 730)
# What is served from PostgreSQL keeps its deliveries there.
OF_SERVICES = ("digest_deliveries", "review_deliveries")
# They are about types of PostgreSQL that a replication to Snowflake cannot deliver: jsonb and json instead of text.
OF_POSTGRESQL = {
    "a_json_string_becomes_its_text",
    "a_json_string_with_a_character_that_text_cannot_hold_stays_json",
}


@pytest.fixture(scope="module")
def sample(
    built_sample: str, postgres: LocalPostgres, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Warehouse, Snowflake]]:
    """Yield the sample in PostgreSQL and in the emulator, as of its day: initialized, built and tested by commands."""
    with (
        disposable_copy(built_sample, "snowflake_sample", postgres, settings) as warehouse,
        emulator(tmp_path_factory.mktemp("snowflake")) as emulated,
    ):
        emulated.prepare()
        emulated.take(warehouse, "first")
        emulated.build(as_of=SAMPLE_AS_OF)
        yield warehouse, emulated


def test_a_first_build_has_the_same_rows(sample: tuple[Warehouse, Snowflake]) -> None:
    warehouse, emulated = sample
    assert differences(warehouse, emulated) == {}
    # The comparison is about something.
    assert emulated.rows("select count(*) > 10000 from ORGO.insights.fact_tasks") == [("true",)]


def test_a_build_runs_every_data_test(sample: tuple[Warehouse, Snowflake]) -> None:
    _, emulated = sample
    kept = emulated.rows("select test_name, status from ORGO.insights_ops.test_results")
    assert {name for name, _ in kept} == {node["name"] for node in nodes("test")}
    assert {status for _, status in kept} <= {"pass", "warn"}


def test_a_second_build_of_the_same_day_writes_nothing(sample: tuple[Warehouse, Snowflake]) -> None:
    warehouse, emulated = sample
    written = "select max(loaded_at) from ORGO.insights.{}"
    marts = ("dim_tasks", "fact_tasks", "fact_cases", "fact_task_statuses")
    before = [emulated.rows(written.format(mart)) for mart in marts]
    emulated.build(*NO_TESTS, as_of=SAMPLE_AS_OF)
    assert warehouse.build(*NO_TESTS).succeeded  # the log of loads is compared below
    assert [emulated.rows(written.format(mart)) for mart in marts] == before


def test_later_days_end_with_the_same_rows(sample: tuple[Warehouse, Snowflake]) -> None:
    warehouse, emulated = sample
    with connect(warehouse.admin_url) as connection:
        delete_like_deployed(connection)
    for day in DAYS[: DAYS.index(LOADS[-1]) + 1]:
        warehouse.execute(day_of_life(day, deployed=False))
        if day in LOADS:
            as_of = day + timedelta(days=1)
            result = warehouse.build(*NO_TESTS, as_of=as_of)
            assert result.succeeded, result.output[-2000:]
            emulated.take(warehouse, f"day_{day}")
            emulated.build(*NO_TESTS, as_of=as_of)
            assert (day, differences(warehouse, emulated)) == (day, {})


def test_a_purge_deletes_the_same_rows(sample: tuple[Warehouse, Snowflake], settings: Settings) -> None:
    warehouse, emulated = sample
    plan = [retained for retained in load_plan(settings) if retained.relation.name not in OF_SERVICES]
    counted = emulated.purge(plan, PURGED, is_preview=True)
    with Database.open(settings, warehouse.etl_url) as db:
        wanted = in_postgres.preview(db, plan, PURGED)
    assert counted == wanted
    with Database.open(settings, warehouse.etl_url) as db:
        wanted = in_postgres.purge(db, plan, PURGED)
    assert emulated.purge(plan, PURGED) == wanted
    assert sum(line.rows > 0 for line in wanted.relations) > 3
    assert differences(warehouse, emulated) == {}
    logged = "select relation_name, retention_class, as_of, cutoff, rows_purged, environment, {} from {} order by 1"
    is_finished = "case when finished_at is not null then 'finished' end"
    there = emulated.rows(logged.format(is_finished, "ORGO.insights_ops.purge_log"))
    here = warehouse.rows(logged.format(is_finished, "insights_ops.purge_log"))
    assert there == [tuple(map(str, row)) for row in here]


def test_the_next_build_does_not_restore_purged_rows(sample: tuple[Warehouse, Snowflake]) -> None:
    warehouse, emulated = sample
    result = warehouse.build(*NO_TESTS, as_of=PURGED)
    assert result.succeeded, result.output[-2000:]
    emulated.build(*NO_TESTS, as_of=PURGED)
    assert differences(warehouse, emulated) == {}


def test_unit_tests_pass(sample: tuple[Warehouse, Snowflake]) -> None:
    _, emulated = sample
    chosen = ["--select", "test_type:unit", "--exclude", *OF_POSTGRESQL]
    said = emulated.dbt("test", *chosen, as_of=SAMPLE_AS_OF)
    names = {test["name"] for test in manifest()["unit_tests"].values()}
    assert names >= OF_POSTGRESQL
    hooks = 2
    assert f"PASS={len(names) - len(OF_POSTGRESQL) + hooks} WARN=0 ERROR=0 SKIP=0" in said


def test_random_worlds_have_the_same_rows(postgres: LocalPostgres, settings: Settings, tmp_path: Path) -> None:
    warehouse = Warehouse("snowflake_worlds", postgres, settings)
    postgres.create_database(warehouse.name)
    with connect(warehouse.admin_url) as connection:
        load_scenarios(connection, 5, sorted({NEW_YEAR, *(NEW_YEAR - timedelta(days=days) for days in WINDOWS)}))
        initialize(connection, settings)
    result = warehouse.build(*NO_TESTS, as_of=NEW_YEAR)
    assert result.succeeded, result.output[-2000:]
    with emulator(tmp_path) as emulated:
        emulated.prepare()
        emulated.take(warehouse, "worlds")
        emulated.build(*NO_TESTS, as_of=NEW_YEAR)
        assert differences(warehouse, emulated) == {}
        assert emulated.rows("select count(*) > 5 from ORGO.insights.pattern_yearly") == [("true",)]
