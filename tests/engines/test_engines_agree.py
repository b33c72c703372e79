"""Marts in DuckDB have the rows that they have in PostgreSQL: after a first build, in daily life, in random worlds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from support.deployed.deployed_schema import delete_like_deployed
from support.deployed.ten_days import DAYS, day_of_life
from support.engines.duckdb_file import DuckdbFile, differences, relations
from support.policy import manifest, nodes
from support.random_scenarios import load_scenarios
from support.warehouse import NO_TESTS, Warehouse, disposable_copy

from orchestration.config.files import Settings
from orchestration.dbt import NO_UNIT_TESTS
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

NEW_YEAR = date(2024, 1, 1)  # a Monday: all three reviews bear this date
WINDOWS = (28, 180, 730)
LOADS = (DAYS[0], DAYS[3], DAYS[-1])


@pytest.fixture(scope="module")
def sample(
    built_sample: str, postgres: LocalPostgres, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Warehouse, DuckdbFile]]:
    """Yield the sample in both engines, as of its day."""
    file = DuckdbFile(tmp_path_factory.mktemp("engines"))
    with disposable_copy(built_sample, "engines_sample", postgres, settings) as warehouse:
        file.prepare(warehouse, "first")
        file.dbt("build", as_of=SAMPLE_AS_OF)  # with all unit tests and data tests
        yield warehouse, file


def test_a_first_build_has_the_same_rows(sample: tuple[Warehouse, DuckdbFile]) -> None:
    warehouse, file = sample
    assert differences(warehouse, file) == {}
    # The comparison is about something.
    empty = {name for name in relations() if not file.rows(f"select 1 from {name} limit 1")}  # noqa: S608
    assert empty == set()


def test_the_results_of_data_tests_are_kept(sample: tuple[Warehouse, DuckdbFile]) -> None:
    _, file = sample
    kept = file.rows("select test_name, status from insights_ops.test_results")
    assert {name for name, _ in kept} == {node["name"] for node in nodes("test")}
    assert {status for _, status in kept} <= {"pass", "warn"}


def test_the_same_unit_tests_run(sample: tuple[Warehouse, DuckdbFile]) -> None:
    _, file = sample
    listed = file.dbt("ls", "--resource-type", "unit_test", "--output", "name", as_of=SAMPLE_AS_OF).split()
    assert {test["name"] for test in manifest()["unit_tests"].values()} <= set(listed)


def test_ten_days_of_life_end_with_the_same_rows(sample: tuple[Warehouse, DuckdbFile]) -> None:
    warehouse, file = sample
    with connect(warehouse.admin_url) as connection:
        delete_like_deployed(connection)
    for day in DAYS:
        warehouse.execute(day_of_life(day, deployed=False))
        if day in LOADS:
            as_of = day + timedelta(days=1)
            result = warehouse.build(*NO_TESTS, as_of=as_of)
            assert result.succeeded, result.output[-2000:]
            file.prepare(warehouse, f"day_{day}")
            # Data tests look at all rows in DuckDB, so those of the last load look at what all have written.
            file.dbt("build", *(NO_UNIT_TESTS if day == LOADS[-1] else NO_TESTS), as_of=as_of)
            assert (day, differences(warehouse, file)) == (day, {})


def test_random_worlds_have_the_same_rows(postgres: LocalPostgres, settings: Settings, tmp_path: Path) -> None:
    warehouse, file = Warehouse("engines_worlds", postgres, settings), DuckdbFile(tmp_path)
    postgres.create_database(warehouse.name)
    with connect(warehouse.admin_url) as connection:
        load_scenarios(connection, 20, sorted({NEW_YEAR, *(NEW_YEAR - timedelta(days=days) for days in WINDOWS)}))
        initialize(connection, settings)
    result = warehouse.build(*NO_TESTS, as_of=NEW_YEAR)
    assert result.succeeded, result.output[-2000:]
    file.prepare(warehouse, "worlds")
    file.dbt("build", *NO_TESTS, as_of=NEW_YEAR)
    assert differences(warehouse, file) == {}
    assert file.rows("select count(*) > 20 from insights.pattern_yearly") == [(True,)]
