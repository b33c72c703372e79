"""A reader with a cache of its own; `pytest_plugins` names this module where its fixtures are needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from support.dashboards.dashboard_scenario import open_reader
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.dashboards.reader import Reader
from workshop.services import LocalPostgres, LocalRedis


@pytest.fixture(scope="module")
def warehouse(
    postgres: LocalPostgres, settings: Settings, built_sample: str, request: pytest.FixtureRequest
) -> Warehouse:
    """Return one copy of the built sample for the tests of a module."""
    return Warehouse.copy_of(built_sample, request.module.__name__.removeprefix("test_"), postgres, settings)


@pytest.fixture
def admin(redis_server: LocalRedis) -> Iterator[redis.Redis]:
    with redis.from_url(redis_server.url()) as client:
        yield client


@pytest.fixture
def reader(warehouse: Warehouse, redis_server: LocalRedis) -> Iterator[Reader]:
    made = open_reader(warehouse, redis_server, cache__pause_seconds=0.05)
    yield made
    made.close()
