"""The cache keeps a bounded number of entries, leases and counts."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import pytest
import redis
from support.dashboards.cached_answers import OVERVIEW, ROLES, entries, key, outcome, question
from support.dashboards.dashboard_scenario import HOSPITAL, OPEN, open_reader
from support.warehouse import Warehouse

from orchestration.cache.keys import Group, Key
from orchestration.dashboards.question import Asked, cache_key
from orchestration.dashboards.reader import Reader
from orchestration.errors import InsightsError
from orchestration.warehouse.connection import connect
from workshop.services import LocalRedis

pytest_plugins = ["support.dashboards.cache_sessions"]

needs_services = pytest.mark.services


def ask_in_turn(reader: Reader, requests: Sequence[Asked]) -> None:
    """Ask each a moment after the one before, so that the first is the coldest."""
    for one in requests:
        outcome(reader, one)
        time.sleep(0.002)


@needs_services
def test_a_dashboard_keeps_as_many_entries_as_it_may_and_the_coldest_leave(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    reader = open_reader(warehouse, redis_server, cache__max_keys_per_dashboard=5)
    requests = [dataclasses.replace(OVERVIEW, parameters={"days": days}) for days in range(1, 20)]

    def kept() -> set[int]:
        there = entries(admin)
        return {one.parameters["days"] for one in requests if key(reader, one) in there}  # type: ignore[misc]

    ask_in_turn(reader, requests[:5])
    assert outcome(reader, requests[0]) == "hits"  # warm again: requests[1] is the coldest now
    time.sleep(0.002)
    outcome(reader, requests[5])
    assert kept() == {1, 3, 4, 5, 6}
    # What expired or was evicted does not count.
    admin.delete(key(reader, requests[2]), key(reader, requests[3]))
    for one in requests[6:8]:
        time.sleep(0.002)
        outcome(reader, one)
    assert kept() == {1, 5, 6, 7, 8}
    assert admin.zcard("insights:dev:{overview}:index") == 5
    # Another dashboard has entries of its own.
    outcome(reader, Asked("task_volume", HOSPITAL, OPEN))
    assert len(entries(admin)) == 5
    assert len(entries(admin, "task_volume")) == 1
    # A warm-up is bounded too, and what it renews is not warmer for it.
    questions = [question(reader, one) for one in requests]
    assert reader.keep(list(zip(questions, reader.compute_all(questions), strict=True))) == [None] * 19
    assert len(entries(admin)) == 5


@needs_services
def test_a_renewal_by_a_warm_up_does_not_count_as_a_request(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    reader = open_reader(warehouse, redis_server, cache__max_keys_per_dashboard=3)
    requests = [dataclasses.replace(OVERVIEW, parameters={"days": days}) for days in range(1, 5)]
    ask_in_turn(reader, requests[:3])
    coldest = question(reader, requests[0])
    assert reader.keep([(coldest, reader.compute(coldest))]) == [None]
    time.sleep(0.002)
    outcome(reader, requests[3])
    assert entries(admin) == {key(reader, one) for one in requests[1:]}


@needs_services
def test_a_fresh_answer_of_another_client_is_not_computed_again(
    warehouse: Warehouse, redis_server: LocalRedis, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, store = open_reader(warehouse, redis_server), reader.store
    assert store
    take = store.take_lease
    theirs = []

    def after_another(key: Key, token: str, seconds: float) -> bool:
        theirs.append(other.ask(OVERVIEW, ROLES).entry)  # between our look and our lease
        return take(key, token, seconds)

    monkeypatch.setattr(store, "take_lease", after_another)
    answer = reader.ask(OVERVIEW, ROLES)
    assert (answer.outcome, [answer.entry]) == ("waited", theirs)


@needs_services
def test_a_lease_is_released_only_by_its_holder(admin: redis.Redis, reader: Reader) -> None:
    store, mine = reader.store, cache_key(question(reader))
    assert store
    assert store.take_lease(mine, "ours", 60)
    assert not store.take_lease(mine, "theirs", 60)
    admin.set(mine.lease, "theirs")  # ours had ended, and another client computes
    store.release_lease(mine, "ours")
    assert admin.get(mine.lease) == b"theirs"
    store.release_lease(mine, "theirs")
    assert admin.get(mine.lease) is None


@needs_services
def test_a_computation_that_takes_too_long_is_ended_by_the_database(
    admin: redis.Redis, built: Warehouse, redis_server: LocalRedis
) -> None:
    built.execute(f"alter role orgo_insights_ro in database {built.name} set lock_timeout = '20s'")  # not forever
    reader = open_reader(built, redis_server, cache__compute_seconds=1)
    with connect(built.admin_url) as holder:
        holder.execute("lock table insights.pattern_weekly in access exclusive mode")
        with pytest.raises(InsightsError, match="The dashboard took longer than"):
            reader.ask(OVERVIEW, ROLES)
    assert outcome(reader) == "misses"


@needs_services
def test_every_answer_is_counted_once_and_the_most_requested_are_listed(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis, reader: Reader
) -> None:
    requests = [dataclasses.replace(OVERVIEW, parameters={"days": days}) for days in (1, 2, 3)]
    for one, times in zip(requests, (2, 5, 1), strict=True):
        for _ in range(times):
            outcome(reader, one)
    with pytest.raises(InsightsError):
        reader.ask(dataclasses.replace(OVERVIEW, organization="00000000-0000-4000-8000-000000000000"), ROLES)
    reader.close()
    store = open_reader(warehouse, redis_server).store
    assert store
    assert store.counters("dev") == {"overview:misses": 3, "overview:hits": 5, "overview:failed_computations": 1}
    other = open_reader(warehouse, redis_server)
    most = other.most_requested("overview", 2)
    assert most == [(question(other, requests[1]), 5), (question(other, requests[0]), 2)]
    admin.zincrby(Group("dev", "overview").asks(time.strftime("%Y-%m-%d", time.gmtime())), 99, "no question")
    assert other.most_requested("overview", 2) == most
    assert 0 < admin.ttl(Group("dev", "overview").asks(time.strftime("%Y-%m-%d", time.gmtime()))) <= 2 * 86_400


@needs_services
def test_the_counts_of_requests_are_bounded(admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis) -> None:
    reader = open_reader(warehouse, redis_server, cache__max_keys_per_dashboard=4)
    for days in (1, 1, *range(1, 12)):
        outcome(reader, dataclasses.replace(OVERVIEW, parameters={"days": days}))
    asks = admin.keys("insights:dev:{overview}:asks:*")
    assert [admin.zcard(name) for name in asks] == [4]
    assert dict(reader.most_requested("overview", 1)[0][0].parameters)["days"] == 1
