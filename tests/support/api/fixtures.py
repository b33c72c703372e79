"""Fixtures: one service for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.api.server import Api, running
from support.api.tokens import SECRET
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings
from workshop.services import LocalPostgres, LocalRedis, remove_state, state_root


@pytest.fixture(scope="module")
def sample(
    postgres: LocalPostgres, settings: Settings, built_sample: str, request: pytest.FixtureRequest
) -> Iterator[Warehouse]:
    """Yield a copy of the built sample for the tests of a module."""
    with disposable_copy(built_sample, request.module.__name__.rpartition(".")[2], postgres, settings) as warehouse:
        yield warehouse


@pytest.fixture(scope="module")
def redis_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRedis]:
    """Yield a Redis for the tests of a module."""
    state = state_root(tmp_path_factory.mktemp("redis"))
    server = LocalRedis(state)
    server.start()
    yield server
    server.stop()
    remove_state(state)


@pytest.fixture(scope="module")
def api(sample: Warehouse, redis_of_module: LocalRedis) -> Iterator[Api]:
    """Yield a running service that verifies tokens with the shared secret."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
        with running(sample, redis_of_module) as made:
            yield made


@pytest.fixture(scope="module")
def document(api: Api) -> dict[str, Any]:
    """Return the OpenAPI document of the service."""
    got = api.get("/openapi.json")
    assert got.status == 200
    found: dict[str, Any] = got.json
    return found
