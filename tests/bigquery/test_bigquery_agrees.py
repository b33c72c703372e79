"""Marts in BigQuery have the rows of PostgreSQL, on crucible, an emulator: `./dev bigquery test`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

pytest.importorskip("crucible", reason="the emulator of BigQuery is in an environment of its own: ./dev bigquery test")

from support.deployed.deployed_schema import delete_like_deployed
from support.deployed.ten_days import DAYS, day_of_life
from support.engines.emulated_bigquery import BigQuery, differences, emulator
from support.engines.googlesql import faults
from support.warehouse import NO_TESTS, Warehouse, disposable_copy

from orchestration.config.files import Settings
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

LOADS = (DAYS[0], DAYS[3])


@pytest.fixture(scope="module")
def sample(
    built_sample: str, postgres: LocalPostgres, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Warehouse, BigQuery]]:
    """Yield the sample in PostgreSQL and in the emulator, as of its day."""
    with (
        disposable_copy(built_sample, "bigquery_sample", postgres, settings) as warehouse,
        emulator(tmp_path_factory.mktemp("bigquery")) as emulated,
    ):
        emulated.prepare()
        emulated.take(warehouse, "first")
        emulated.dbt("build", *NO_TESTS, as_of=SAMPLE_AS_OF)
        yield warehouse, emulated


def test_a_first_build_has_the_same_rows(sample: tuple[Warehouse, BigQuery]) -> None:
    warehouse, emulated = sample
    assert differences(warehouse, emulated) == {}
    # The comparison is about something.
    assert emulated.rows("select count(*) > 10000 from orgo.insights.fact_tasks") == [("true",)]


def test_the_analyzer_of_googlesql_takes_each_statement(sample: tuple[Warehouse, BigQuery]) -> None:
    _, emulated = sample
    assert faults(emulated.statements) == {}


def test_a_second_build_of_the_same_day_writes_nothing(sample: tuple[Warehouse, BigQuery]) -> None:
    warehouse, emulated = sample
    written = "select max(loaded_at) from orgo.insights.{}"
    marts = ("dim_tasks", "fact_tasks", "fact_cases", "fact_task_statuses")
    before = [emulated.rows(written.format(mart)) for mart in marts]
    emulated.dbt("build", *NO_TESTS, as_of=SAMPLE_AS_OF)
    assert warehouse.build(*NO_TESTS).succeeded  # the log of loads is compared below
    assert [emulated.rows(written.format(mart)) for mart in marts] == before


def test_later_days_end_with_the_same_rows(sample: tuple[Warehouse, BigQuery]) -> None:
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
            emulated.dbt("build", *NO_TESTS, as_of=as_of)
            assert (day, differences(warehouse, emulated)) == (day, {})
