"""Servers that hang, restart, take no more sessions, or swap the tables: answers of one load and tenant, or 503."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import redis as redis_client
from support.api.server import Api, Got, running
from support.api.tokens import SECRET, token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.small_scenario import NEXT_DAY
from support.warehouse import NO_TESTS, Warehouse, connect_as, stopped

from orchestration.errors import UnavailableError
from workshop.services import LocalRedis

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

CLIENTS = 16
OF_ONE_MART = ("task_volume", "sla_breaches")
# What these dashboards read with what it needs, but for the views, which the built sample has.
READ = ("+report_task_volume", "+report_sla_breaches", "dim_organizations")
LOAD = (
    *("--select", *READ, "--exclude", "config.materialized:view"),
    *NO_TESTS,
)
LIMITS: dict[str, Any] = {
    "reports_api__timeout_ms": 1300,
    "reports_api__busy_ms": 250,
    "reports_api__requests_per_minute": 1_000_000,
}


@pytest.fixture
def uncached(sample: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Yield a service that computes each answer, with the shipped time limits."""
    monkeypatch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
    with running(sample, **LIMITS) as made:
        yield made


def wait_for_an_answer(api: Api, slug: str = HOSPITAL, dashboard: str = "task_volume") -> Got:
    """Ask until there is an answer, since a busy machine may take too long; each refusal is a 503."""
    deadline = time.monotonic() + 60
    while (got := api.ask(slug, dashboard)).status != 200:
        assert got.status == 503, got.body
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return got


def test_a_redis_that_hangs(sample: Warehouse, redis_server: LocalRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
    with running(sample, redis_server, **LIMITS, cache__timeout_ms=200, cache__pause_seconds=0.05) as api:
        before = wait_for_an_answer(api)
        with redis_client.from_url(redis_server.url()) as client:
            process = client.info("server")["process_id"]
        with stopped(process):
            after = wait_for_an_answer(api)
            assert "bypassed" in after.headers["server-timing"]
            assert after.json["data"] == before.json["data"]


def test_a_warehouse_that_restarts(uncached: Api) -> None:
    before = wait_for_an_answer(uncached)
    id_ = uncached.organization(HOSPITAL)
    uncached.warehouse.postgres.stop()
    try:
        assert uncached.get(f"/v1/organizations/{id_}/dashboards/task_volume", token(id_)).status == 503
    finally:
        uncached.warehouse.postgres.start()
    assert wait_for_an_answer(uncached).json["data"] == before.json["data"]


def test_a_role_without_a_free_session(uncached: Api) -> None:
    with ExitStack() as others:
        with pytest.raises(UnavailableError, match="too many connections"):
            while True:
                others.enter_context(connect_as(uncached.warehouse.reader_url))
        assert uncached.ask(HOSPITAL, "task_volume").status == 503
        assert uncached.get("/healthz").status == 200
    wait_for_an_answer(uncached)


def test_a_load_that_swaps_the_tables(uncached: Api) -> None:
    """Each answer is one of before the load or of after it, of the organization that was asked about."""
    warehouse = uncached.warehouse
    asked = [(slug, name) for slug in (HOSPITAL, STORES) for name in OF_ONE_MART]
    before = {one: wait_for_an_answer(uncached, *one).json["data"] for one in asked}
    got, is_loaded = list[tuple[tuple[str, str], Got]](), threading.Event()

    def client(number: int) -> None:
        while not is_loaded.is_set():
            one = asked[number % len(asked)]
            got.append((one, uncached.ask(*one)))

    warehouse.execute(
        "update tasks set severity = 'CRITICAL', updated_at = '2025-12-31 20:00+00' where severity = 'MINOR'"
    )
    with ThreadPoolExecutor(CLIENTS) as clients:
        running_clients = [clients.submit(client, number) for number in range(CLIENTS)]
        try:
            loaded = warehouse.build(*LOAD, as_of=NEXT_DAY)
        finally:
            is_loaded.set()
        for done in running_clients:
            done.result()
    assert loaded.succeeded, loaded.output
    after = {one: wait_for_an_answer(uncached, *one).json["data"] for one in asked}
    assert all(after[one] != before[one] for one in asked)
    statuses = Counter(answer.status for _, answer in got)
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= CLIENTS
    for one, answer in got:
        if answer.status == 200:
            assert answer.json["data"] in (before[one], after[one])
