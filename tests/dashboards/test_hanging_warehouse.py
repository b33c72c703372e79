"""A warehouse that hangs: each client gets the stale answer that is stored, or an error, while it still hangs.

Without a limit none of these answers would come before the end of the test, which would never end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from support.dashboards.cached_answers import aged, outcome
from support.dashboards.dashboard_scenario import open_reader
from support.warehouse import Warehouse, connect_as, stopped

from orchestration.dashboards.reader import Reader
from orchestration.errors import TimedOutError, UnavailableError
from workshop.services import LocalRedis

pytest_plugins = ["support.dashboards.cache_sessions"]
pytestmark = pytest.mark.services

SESSIONS = "select pid from pg_stat_activity where usename = 'orgo_insights_ro' and datname = current_database()"
WAITING = "select count(*) from pg_locks where not granted and relation = 'insights.report_sla_breaches'::regclass"


@pytest.fixture
def reader(warehouse: Warehouse, redis_server: LocalRedis, admin: redis.Redis) -> Iterator[Reader]:
    """Return a reader whose pool has a connection, and whose cache has a stale answer."""
    made = open_reader(warehouse, redis_server, cache__compute_seconds=5)
    assert outcome(made) == "misses"
    aged(admin, made, 301)
    yield made
    made.close()


def _sessions(warehouse: Warehouse) -> list[int]:
    return [pid for (pid,) in warehouse.rows(SESSIONS)]


def _postmaster(warehouse: Warehouse) -> int:
    return int((warehouse.postgres.socket_dir / "data" / "postmaster.pid").read_text().split()[0])


def test_a_session_that_hangs_is_replaced(warehouse: Warehouse, reader: Reader) -> None:
    with stopped(*_sessions(warehouse)):
        assert outcome(reader) == "misses"


def test_a_server_that_hangs_costs_no_stale_answer(warehouse: Warehouse, reader: Reader) -> None:
    with stopped(_postmaster(warehouse), *_sessions(warehouse)):
        assert [outcome(reader) for _ in range(2)] == ["stale", "stale"]
        # Without an entry there is an error, and no traceback.
        with pytest.raises(UnavailableError):
            reader.organizations()
    assert outcome(reader) == "misses"


def test_a_server_that_hangs_in_the_middle_of_a_statement(warehouse: Warehouse, reader: Reader) -> None:
    with ThreadPoolExecutor(1) as pool, connect_as(warehouse.admin_url) as other:
        with other.transaction():
            other.execute("lock table insights.report_sla_breaches in access exclusive mode")
            waiting = pool.submit(outcome, reader)
            while not other.execute(WAITING).fetchall()[0][0]:
                assert not waiting.done()
                time.sleep(0.05)
            hanging = stopped(*_sessions(warehouse))
            hanging.__enter__()
        try:
            assert waiting.result() == "stale"
        finally:
            hanging.__exit__(None, None, None)
    assert outcome(reader) == "misses"


def test_without_an_answer_the_error_names_the_limit(warehouse: Warehouse) -> None:
    reader = open_reader(warehouse, cache__compute_seconds=1)
    reader.organizations()
    with connect_as(warehouse.admin_url) as other, other.transaction():
        other.execute("lock table insights.dim_organizations in access exclusive mode")
        with pytest.raises(TimedOutError, match=r"longer than insights\.cache\.compute_seconds allows"):
            reader.organizations()
    reader.close()
