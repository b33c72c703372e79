"""Many clients of one dashboard, in several processes: the queries in the warehouse, and a process that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from support.dashboards.dashboard_scenario import HOSPITAL, OPEN, PATIENT
from support.policy import manifest
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT
from workshop.services import LocalRedis

pytestmark = pytest.mark.services

PROCESSES, THREADS = 4, 16
CLIENT = PROJECT / "tests/support/dashboards/dashboard_client.py"


@pytest.fixture
def logged(built: Warehouse) -> Warehouse:
    """Return a warehouse that logs every statement of the read-only role."""
    built.execute(f"alter role orgo_insights_ro in database {built.name} set log_statement = 'all'")
    return built


def queries(warehouse: Warehouse) -> int:
    """Return how often the server's log has a dashboard's statement in this database."""
    log = (warehouse.postgres.socket_dir / "log").read_text("utf-8", "replace")
    statements = log.split(" UTC [")
    return sum(f"] {warehouse.name} LOG:  execute" in s and "json_build_object" in s for s in statements)


@contextmanager
def clients(warehouse: Warehouse, tmp_path: Path, count: int, **given: Any) -> Iterator[list[subprocess.Popen[str]]]:
    """Yield `count` processes that are ready to request the hospital's overview."""
    written = tmp_path / "manifest.json"
    written.write_text(json.dumps(manifest()), "utf-8")
    task = {
        "manifest": str(written),
        "url": warehouse.reader_url,
        "slowness": 0,
        "dashboard": "overview",
        "organization": str(warehouse.value("select id from organizations where slug = %s", HOSPITAL)),
        "visibilities": OPEN,
        "threads": THREADS,
    } | given
    task["settings"] = PATIENT | given["settings"]
    path = os.pathsep.join([str(PROJECT), str(PROJECT / "tests")])
    environment = {**os.environ, "PYTHONPATH": path}
    started = [
        subprocess.Popen(
            [sys.executable, str(CLIENT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(count)
    ]
    try:
        for process in started:
            tell(process, json.dumps(task))
        for process in started:
            assert listen(process) == "ready"
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def listen(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def answers(process: subprocess.Popen[str]) -> list[tuple[str, str]]:
    line = listen(process)
    while line == "computing":
        line = listen(process)
    return [(outcome, body) for outcome, body in json.loads(line)]


def test_64_clients_of_a_cold_dashboard_cost_the_warehouse_one_query(
    logged: Warehouse, redis_server: LocalRedis, tmp_path: Path
) -> None:
    with clients(logged, tmp_path, PROCESSES, settings={"cache.url": redis_server.url()}, slowness=0.3) as started:
        assert queries(logged) == 0
        for process in started:
            tell(process, "go")
        found = [answer for process in started for answer in answers(process)]
    assert len(found) == 64
    assert len({body for _, body in found}) == 1
    outcomes = Counter(outcome for outcome, _ in found)
    assert outcomes["misses"] == 1
    assert set(outcomes) <= {"misses", "waited", "hits"}
    assert queries(logged) == 1


def test_a_killed_process_delays_no_client_beyond_its_lease(
    logged: Warehouse, redis_server: LocalRedis, tmp_path: Path
) -> None:
    given = {"settings": {"cache.url": redis_server.url()}, "threads": 1}
    with (
        clients(logged, tmp_path, 1, slowness=600, **given) as (doomed,),
        clients(logged, tmp_path, 2, **given) as (first, second),
        redis.from_url(redis_server.url()) as client,
    ):
        tell(doomed, "go")
        assert listen(doomed) == "computing"
        (lease,) = client.keys("*:lease:*")
        assert 0 < client.pttl(lease) <= PATIENT["cache.compute_seconds"] * 1000
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.wait()
        for process in (first, second):
            tell(process, "go")
        client.pexpire(lease, 1000)  # what is left of its time passes; theirs would be longer than the test
        found = [answer for process in (first, second) for answer in answers(process)]
        assert client.keys("*:lease:*") == []
    outcomes = {outcome for outcome, _ in found}
    assert outcomes in ({"misses", "waited"}, {"misses", "hits"})  # "hits" is who came when the other had finished
    assert queries(logged) == 1


def test_without_redis_each_process_queries_the_warehouse_once(logged: Warehouse, tmp_path: Path) -> None:
    away = {"cache.url": f"unix://{tmp_path}/nothing"}
    with clients(logged, tmp_path, 2, settings=away) as started:
        for process in started:
            tell(process, "go")
        found = [answer for process in started for answer in answers(process)]
    assert Counter(outcome for outcome, _ in found) == {"bypassed": 2, "waited": 2 * (THREADS - 1)}
    assert queries(logged) == 2
