"""Redis or PostgreSQL fail, or everything is busy: answers, or 503 with Retry-After; nothing leaks and nothing hangs.

Where a server hangs, a request without a limit would never be answered, and the test would not end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis as redis_client
from support.api.server import Api, Got, running
from support.api.tokens import SECRET, token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.warehouse import Warehouse, connect_as, stopped

from workshop.services import LocalRedis

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

SESSIONS = "select pid from pg_stat_activity where usename = 'orgo_insights_ro' and datname = current_database()"
THREADS = 3
FAULTY: dict[str, Any] = {"reports_api__timeout_ms": 1300, "reports_api__busy_ms": 250, "reports_api__threads": THREADS}


@pytest.fixture
def faulty(sample: Warehouse, redis_server: LocalRedis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Yield a service with the shipped time limits and few threads."""
    monkeypatch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
    with running(sample, redis_server, **FAULTY, cache__timeout_ms=200, cache__pause_seconds=0.05) as made:
        yield made


def server_of(warehouse: Warehouse) -> list[int]:
    """Return the processes of the PostgreSQL server and its sessions."""
    postmaster = int((warehouse.postgres.socket_dir / "data" / "postmaster.pid").read_text().split()[0])
    return [postmaster, *(pid for (pid,) in warehouse.rows(SESSIONS))]


def answered(ask: Any) -> Got:
    """Return an answer with status 200; a busy machine may need several attempts, which Retry-After invites to."""
    deadline = time.monotonic() + 60
    while (got := ask()).status != 200:
        assert got.status == 503, got.body
        assert time.monotonic() < deadline
        time.sleep(0.1)
    found: Got = got
    return found


def unavailable(got: Got) -> None:
    """Check that an answer is a 503 that says nothing of the inside."""
    assert (got.status, got.headers["retry-after"]) == (503, "1")
    assert got.json == {
        "type": "urn:orgo-insights:problem:unavailable",
        "title": "Unavailable",
        "status": 503,
        "detail": "The answer cannot be given now. Try again later.",
    }


def test_without_redis_every_answer_is_computed(faulty: Api, redis_server: LocalRedis) -> None:
    before = answered(lambda: faulty.ask(HOSPITAL, "overview"))
    redis_server.stop()
    after = answered(lambda: faulty.ask(HOSPITAL, "overview"))
    assert after.json["data"] == before.json["data"]
    assert "bypassed" in after.headers["server-timing"]
    assert faulty.get("/readyz").status == 200


def test_a_redis_that_was_flushed(faulty: Api, redis_server: LocalRedis) -> None:
    before = answered(lambda: faulty.ask(HOSPITAL, "overview"))
    with redis_client.from_url(redis_server.url()) as client:
        client.flushall()
    assert answered(lambda: faulty.ask(HOSPITAL, "overview")).json["data"] == before.json["data"]


def test_a_warehouse_that_hangs(faulty: Api) -> None:
    fresh = answered(lambda: faulty.ask(HOSPITAL, "overview"))
    id_ = faulty.organization(STORES)
    path, bearer = f"/v1/organizations/{id_}/dashboards/overview", token(id_)
    known = f"/v1/organizations/{faulty.organization(HOSPITAL)}/dashboards/overview"
    own = token(faulty.organization(HOSPITAL))
    with stopped(*server_of(faulty.warehouse)):
        assert faulty.get(known, own).json["data"] == fresh.json["data"]  # from the cache
        unavailable(faulty.get(path, bearer))
        unavailable(faulty.get("/v1/freshness", bearer))
        unavailable(faulty.get("/readyz"))
        assert faulty.get("/healthz").status == 200
        with ThreadPoolExecutor(16) as clients:  # more than there are threads
            for got in clients.map(lambda _: faulty.get(path, bearer), range(16)):
                unavailable(got)
    answered(lambda: faulty.get(path, bearer))
    answered(lambda: faulty.get("/readyz"))
    assert len(faulty.warehouse.rows(SESSIONS)) <= THREADS + 1


def test_a_statement_that_takes_too_long_is_ended(faulty: Api) -> None:
    with connect_as(faulty.warehouse.admin_url) as other, other.transaction():
        other.execute("lock table insights.report_sla_breaches in access exclusive mode")
        id_ = str(other.execute("select id from organizations where slug = %s", [HOSPITAL]).fetchall()[0][0])
        unavailable(faulty.get(f"/v1/organizations/{id_}/dashboards/sla_breaches", token(id_)))
        faulty.warehouse.wait_for(f"select not exists ({SESSIONS} and wait_event_type = 'Lock')")
    answered(lambda: faulty.ask(HOSPITAL, "sla_breaches"))


def test_a_busy_service_refuses_at_once_and_is_still_ready(faulty: Api) -> None:
    id_ = faulty.organization(HOSPITAL)
    path, bearer = f"/v1/organizations/{id_}/dashboards/sla_breaches", token(id_)
    with connect_as(faulty.warehouse.admin_url) as other, ThreadPoolExecutor(THREADS) as clients:
        with other.transaction():
            other.execute("lock table insights.report_sla_breaches in access exclusive mode")
            waiting = [clients.submit(faulty.get, f"{path}?days={days}", bearer) for days in range(1, THREADS + 1)]
            unavailable(faulty.get(path, bearer))
            answered(lambda: faulty.get("/readyz"))
        assert {done.result().status for done in waiting} <= {200, 503}
    answered(lambda: faulty.get(path, bearer))


def test_a_server_that_is_not_there(sample: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
    with running(sample, url="postgresql://orgo_insights_ro:hunter2@127.0.0.1:1/nowhere", **FAULTY) as api:
        got = api.ask(HOSPITAL, "overview")
        unavailable(got)
        unavailable(api.get("/readyz"))
        assert all(word not in got.body + str(got.headers).encode() for word in (b"hunter2", b"nowhere", b"127.0.0.1"))


def test_a_warehouse_without_marts(prepared: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
    with running(prepared) as api:
        unavailable(api.ask(HOSPITAL, "overview"))
        assert api.get("/healthz").status == 200
