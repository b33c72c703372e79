"""The cache with a real Redis that fails in every way, and the answers that readers get meanwhile."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from support.dashboards.cached_answers import OVERVIEW, ROLES, entries, key, outcome, question
from support.dashboards.dashboard_scenario import open_reader
from support.dashboards.dashboard_settings import changed
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.dashboards.reader import Reader
from orchestration.dashboards.warm import warm
from orchestration.errors import InsightsError, UnavailableError
from workshop.services import LocalRedis

pytest_plugins = ["support.dashboards.cache_sessions"]

needs_services = pytest.mark.services


@needs_services
def test_a_stopped_redis_costs_no_answer(redis_server: LocalRedis, reader: Reader) -> None:
    outcome(reader)
    redis_server.stop()
    assert [outcome(reader) for _ in range(3)] == ["bypassed"] * 3
    redis_server.start()
    time.sleep(0.06)  # the pause in which it is left alone
    assert [outcome(reader) for _ in range(2)] == ["misses", "hits"]
    reader.answers.counters.send()
    assert reader.store
    counted = reader.store.counters("dev")
    assert counted["overview:bypassed"] == 3  # counted while Redis was away, and written when it is back
    assert counted["overview:cache_errors"] >= 3


@contextmanager
def paused(server: LocalRedis) -> Iterator[None]:
    with redis.from_url(server.url()) as client:
        process = client.info("server")["process_id"]
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@needs_services
def test_a_paused_redis_is_waited_for_once_and_then_left_alone(warehouse: Warehouse, redis_server: LocalRedis) -> None:
    assert outcome(open_reader(warehouse, redis_server)) == "misses"
    reader = open_reader(warehouse, redis_server, cache__timeout_ms=50, cache__pause_seconds=600)
    with paused(redis_server):
        assert [outcome(reader) for _ in range(20)] == ["bypassed"] * 20
        used_store = reader.store
        assert used_store and used_store._paused_until > time.monotonic()
    another = open_reader(warehouse, redis_server)
    assert outcome(another) == "hits"


@needs_services
def test_a_redis_that_is_paused_between_lease_and_entry_blocks_no_client(
    warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    reader = open_reader(warehouse, redis_server, cache__timeout_ms=50, cache__pause_seconds=0.01)
    wanted = question(reader)
    with paused(redis_server):
        pause = reader.answers.get(reader.request(wanted), lambda: reader.compute(wanted))
    assert pause.outcome == "bypassed"
    deadline = time.monotonic() + 60  # 50 ms may be too little for a Redis on a busy machine, but not forever
    while (found := outcome(reader)) == "bypassed":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert found in ("misses", "hits", "waited")


@needs_services
def test_a_full_redis_still_answers_what_it_has_and_refuses_the_rest(admin: redis.Redis, reader: Reader) -> None:
    outcome(reader)
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", "1mb")
    assert outcome(reader) == "hits"
    other = dataclasses.replace(OVERVIEW, parameters={"days": 3})
    assert [outcome(reader, other) for _ in range(2)] == ["misses", "misses"]
    assert len(entries(admin)) == 1
    assert reader.answers.counters.waiting()["overview:refused_writes"] >= 2
    admin.config_set("maxmemory", "64mb")
    assert [outcome(reader, other) for _ in range(2)] == ["misses", "hits"]


@needs_services
def test_a_flushed_redis_is_filled_again(admin: redis.Redis, reader: Reader) -> None:
    outcome(reader)
    admin.flushall()
    admin.script_flush()
    assert [outcome(reader) for _ in range(2)] == ["misses", "hits"]


@needs_services
def test_a_wrong_password_or_a_reader_without_rights_is_answered(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    rights = {"enabled": True, "passwords": ["+pass"], "keys": ["*"], "categories": ["+@read"], "commands": ["+select"]}
    admin.acl_setuser("looker", **rights)  # type: ignore[arg-type]
    wrong = open_reader(warehouse, cache__url=redis_server.url().replace("unix://", "unix://looker:wrong@"))
    assert [outcome(wrong) for _ in range(2)] == ["bypassed"] * 2
    looker = open_reader(warehouse, cache__url=redis_server.url().replace("unix://", "unix://looker:pass@"))
    assert outcome(looker) == "misses"
    assert outcome(open_reader(warehouse, redis_server)) == "misses"
    assert outcome(looker) == "hits"


@needs_services
def test_a_read_only_replica_is_answered(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis, reader: Reader
) -> None:
    admin.replicaof("127.0.0.1", "1")
    assert [outcome(reader) for _ in range(2)] == ["misses"] * 2
    admin.replicaof("NO", "ONE")
    assert [outcome(reader) for _ in range(2)] == ["misses", "hits"]


@needs_services
@pytest.mark.parametrize("kind", ["garbage", "cut", "flipped", "hash", "other version", "pickle"])
def test_a_corrupt_or_foreign_entry_is_ignored_and_replaced(admin: redis.Redis, reader: Reader, kind: str) -> None:
    right = reader.ask(OVERVIEW, ROLES).entry
    raw = admin.get(key(reader))
    assert isinstance(raw, bytes)
    if kind == "hash":
        admin.delete(key(reader))
        admin.hset(key(reader), "a", "b")
    else:
        wrong = {
            "garbage": os.urandom(500),
            "cut": raw[:-1],
            "flipped": raw.replace(b'"tasks"', b'"tusks"'),
            "other version": b"1" + raw[1:],
            "pickle": b"\x80\x04\x95" + raw,
        }
        admin.set(key(reader), wrong[kind])
    answer = reader.ask(OVERVIEW, ROLES)
    assert (answer.outcome, answer.entry.body) == ("misses", right.body)
    assert outcome(reader) == "hits"
    reader.answers.counters.send()
    assert reader.store
    assert reader.store.counters("dev")["overview:ignored_entries"] >= 1


@needs_services
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("{server}&sokket_timeout=1", "sokket"),
        ("{server}&protocol=9", "protocol"),
        ("{server}&protocol=x", "protocol"),
        ("rediss://h:6379/1?ssl_cert_reqs=x", "SSL"),
    ],
)
def test_an_invalid_option_of_the_redis_url_costs_no_answer(
    url: str, says: str, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    reader = open_reader(warehouse, cache__url=url.format(server=redis_server.url()))
    assert [outcome(reader) for _ in range(2)] == ["bypassed"] * 2
    with pytest.raises(UnavailableError, match=rf"cannot be warmed.* an option that redis-py does not take .*{says}"):
        warm(reader, warehouse.settings)


@needs_services
def test_settings_with_a_url_that_is_none_are_refused_without_showing_it(
    settings: Settings, warehouse: Warehouse
) -> None:
    with pytest.raises(InsightsError, match="INSIGHTS_REDIS_URL must be like") as caught:
        open_reader(warehouse, cache__url="http://:secret@host:6379/1")
    assert "secret" not in str(caught.value)
    assert changed(settings, {"cache.url": "redis://h:6379/1"}).redis_url == "redis://h:6379/1"
    any_value: Any = changed(settings, {"cache.url": "${INSIGHTS_REDIS_URL}"}).redis_url
    assert any_value is None
