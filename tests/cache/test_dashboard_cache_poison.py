"""What somebody who may write to Redis can plant: it costs no client an answer, and heals by itself."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from support.dashboards.cached_answers import OVERVIEW, ROLES, entries, key, outcome, question
from support.dashboards.dashboard_scenario import HOSPITAL, OPEN, STORES, open_reader
from support.warehouse import Warehouse

from orchestration.cache.entries import Entry, Lifetime, pack
from orchestration.cache.keys import Group
from orchestration.config.files import check
from orchestration.dashboards.question import Asked, cache_key
from orchestration.dashboards.reader import Reader
from orchestration.dashboards.warm import candidates, warm
from workshop.services import LocalRedis

pytest_plugins = ["support.dashboards.cache_sessions"]
needs_services = pytest.mark.services

GROUP = Group("dev", "overview")
TODAY = time.strftime("%Y-%m-%d", time.gmtime())
KEY = "a key for tests, which is long enough: 0123456789"


def forged(like: Entry, body: bytes, key: bytes) -> bytes:
    return pack(dataclasses.replace(like, body=body), Lifetime(300, 900), key)


@needs_services
def test_an_entry_without_the_key_is_not_believed(admin: redis.Redis, reader: Reader) -> None:
    right = reader.ask(OVERVIEW, ROLES).entry
    lie = json.dumps({name: [] for name in json.loads(right.body)}).encode()
    admin.set(key(reader), forged(right, lie, b"what a guesser takes for the key"))
    answer = reader.ask(OVERVIEW, ROLES)
    assert (answer.outcome, answer.entry.body) == ("misses", right.body)
    assert outcome(reader) == "hits"
    # With the key it would be believed: this is what the seal keeps out.
    seal_key = reader.seals.key()
    assert seal_key
    admin.set(key(reader), forged(right, lie, seal_key))
    assert reader.ask(OVERVIEW, ROLES).entry.body == lie


@needs_services
def test_every_reader_has_the_key_of_the_database_or_of_the_variable(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (open_reader(warehouse, redis_server) for _ in range(2))
    as_writer = open_reader(warehouse, redis_server, url=warehouse.etl_url)
    assert [outcome(r) for r in (first, second, as_writer)] == ["misses", "hits", "hits"]
    assert first.seals.key() == warehouse.value("select key from insights_ops.cache_key")
    monkeypatch.setenv("INSIGHTS_CACHE_KEY", KEY)
    third, fourth = (open_reader(warehouse, redis_server) for _ in range(2))
    assert [outcome(r) for r in (third, fourth)] == ["misses", "hits"]
    # A second `insights init` makes no second key, and only these two roles may read it.
    readers = (
        "select array_agg(grantee::text order by grantee) from information_schema.role_table_grants"
        " where table_name = 'cache_key' and privilege_type = 'SELECT' and grantee <> grantor"
    )
    assert warehouse.value(readers) == ["orgo_insights_etl", "orgo_insights_ro"]


@needs_services
def test_without_a_key_everything_is_computed(
    admin: redis.Redis, built: Warehouse, redis_server: LocalRedis, caplog: pytest.LogCaptureFixture
) -> None:
    built.execute("drop table insights_ops.cache_key")
    reader = open_reader(built, redis_server)
    assert [outcome(reader) for _ in range(2)] == ["bypassed", "bypassed"]
    assert entries(admin) == set()
    assert "Run: insights init" in caplog.text
    asked = question(reader)
    assert reader.keep([(asked, reader.compute(asked))]) == ["the key of the cache cannot be read"]


def test_a_weak_key_is_an_error_of_the_configuration() -> None:
    problems = check(environ={"INSIGHTS_CACHE_KEY": "k" * 40}).problems
    assert [p.level for p in problems if p.key == "INSIGHTS_CACHE_KEY"] == ["error"]


LOADS: dict[str, Any] = {
    "5,000 digits": "9" * 5000,
    "sealed by nobody": "9" * 17 + " " + "0" * 32,
    "digits of another alphabet": "\u0663 " + "0" * 32,
    "not UTF-8": b"\xff\xfe",
    "empty": "",
}


@needs_services
@pytest.mark.parametrize("name", LOADS)
@pytest.mark.parametrize("lasting", [None, 10**9])
def test_a_planted_load(admin: redis.Redis, reader: Reader, name: str, lasting: int | None) -> None:
    reader.ask(OVERVIEW, ROLES)
    right = admin.get(GROUP.load)
    admin.set(GROUP.load, LOADS[name], ex=lasting)
    # Neither is a good entry stale for it, nor does it stay in the way of the next.
    assert outcome(reader) == "hits"
    assert outcome(reader, dataclasses.replace(OVERVIEW, parameters={"days": 3})) == "misses"
    assert admin.get(GROUP.load) == right


def _of_another_type(client: redis.Redis, name: str) -> None:
    kind = client.type(name)
    client.delete(name)
    client.rpush(name, "x") if kind != b"list" else client.set(name, "x")


@needs_services
@pytest.mark.parametrize("which", ["load", "index", "lease", "asks", "counters"])
def test_a_key_of_another_type(admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis, which: str) -> None:
    reader = open_reader(warehouse, redis_server, cache__compute_seconds=5)
    reader.ask(OVERVIEW, ROLES)
    reader.answers.counters.send()
    lease = cache_key(question(reader)).lease
    name = {"load": GROUP.load, "index": GROUP.index, "lease": lease, "asks": GROUP.asks(TODAY)}
    _of_another_type(admin, name.get(which, GROUP.counters))
    admin.delete(key(reader))
    started = time.monotonic()
    assert [outcome(reader) for _ in range(2)] == ["misses", "hits"]
    assert time.monotonic() - started < 5, "a lease that is none was waited for"
    reader.answers.counters.send()
    assert reader.answers.counters.waiting() == {}
    assert reader.store and reader.store.counters("dev")["overview:misses"] >= 1
    assert reader.most_requested("overview", 5)[0][0] == question(reader)
    assert admin.zcard(GROUP.index) == 1


@needs_services
@pytest.mark.parametrize("left", [None, 10**9])
def test_a_lease_that_lasts_too_long_is_none(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis, left: int | None
) -> None:
    reader = open_reader(warehouse, redis_server)
    admin.set(cache_key(question(reader)).lease, "mine", ex=left)
    started = time.monotonic()
    assert outcome(reader) == "misses"
    assert time.monotonic() - started < 300  # the time limit of a computation in these tests


COUNTS: dict[str, Callable[[str], tuple[str, float]]] = {
    "infinite": lambda text: (text, float("inf")),
    "infinite below": lambda text: (text, float("-inf")),
    "huge": lambda text: (text, 1e300),
    "deep JSON": lambda _: ("[" * 9000, 10**6),
    "deep in parameters": lambda text: (re.sub(r'"days":\d+', '"days":' + "[" * 4000 + "]" * 4000, text), 10**6),
    "many digits": lambda text: (re.sub(r'"days":\d+', '"days":' + "9" * 5000, text), 10**6),
    "a megabyte": lambda _: ("x" * 2**20, 10**6),
    "no text": lambda _: ("\udcff", 10**6),
}


@needs_services
@pytest.mark.parametrize("name", COUNTS)
def test_a_planted_count(admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis, name: str) -> None:
    reader = open_reader(warehouse, redis_server)
    assert outcome(reader) == "misses"
    reader.answers.counters.send()
    text = question(reader, dataclasses.replace(OVERVIEW, parameters={"days": 7})).text
    member, score = COUNTS[name](text)
    admin.zadd(GROUP.asks(TODAY), {member.encode(errors="surrogateescape"): score})
    assert reader.most_requested("overview", 50) == [(question(reader), 1)]
    # The warm-up finds it, and a count makes sure that it is gone.
    settings = reader._settings
    assert warm(reader, settings, ["overview"]).is_whole
    assert outcome(reader, dataclasses.replace(OVERVIEW, parameters={"days": 5})) == "misses"
    kept = admin.zrange(GROUP.asks(TODAY), 0, -1, withscores=True)
    assert [pair for pair in kept if not 0 < float(pair[1]) < 100] == []
    assert len(reader.most_requested("overview", 50)) == 2


@needs_services
@pytest.mark.parametrize("number", ["x", "9" * 5000, "", "-1", str(2**63 - 1)])
def test_a_planted_counter(admin: redis.Redis, reader: Reader, number: str) -> None:
    admin.hset(GROUP.counters, "overview:misses", number)
    assert reader.store
    assert set(reader.store.counters("dev").values()) <= {0}
    assert outcome(reader) == "misses"
    assert reader.answers.counters.waiting() == {}
    assert reader.store.counters("dev").get("overview:misses", 0) in (0, 1)


# Shares of the organizations


@needs_services
def test_one_organization_does_not_evict_what_another_has(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    reader = open_reader(warehouse, redis_server, cache__max_keys_per_dashboard=20)
    hot = [Asked("overview", STORES, OPEN, parameters={"days": days}) for days in (1, 7, 30)]
    for one in hot:
        outcome(reader, one)
    # As in the attack: every question that there is, again and again, each of them warmer than those of the stores.
    questions = [question(reader, Asked("overview", HOSPITAL, OPEN, parameters={"days": d})) for d in range(1, 61)]
    computed = reader.compute_all(questions)
    requests = [(reader.request(q), e) for q, e in zip(questions, computed, strict=True)]
    for request in requests:
        assert reader.answers.keep([request], is_requested=True) == [None]
        time.sleep(0.002)  # requests of one millisecond are equally warm
    assert len(entries(admin)) <= 20
    assert [outcome(reader, one) for one in hot] == ["hits"] * 3
    # The warmest of the large one stay, and it has all the room that the others leave.
    kept = {name for name in entries(admin) if reader.question(Asked("overview", HOSPITAL)).organization_id in name}
    assert kept == {request.key.entry for request, _ in requests[-17:]}


@needs_services
def test_where_all_have_too_many_each_has_the_same(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    reader = open_reader(warehouse, redis_server, cache__max_keys_per_dashboard=7)
    for days in range(1, 11):
        for slug in (HOSPITAL, STORES, "sample-walking-club"):
            outcome(reader, Asked("overview", slug, OPEN, parameters={"days": days}))
            time.sleep(0.002)
    owners = [name.split("entry:")[1].split(":")[0] for name in entries(admin)]
    # 7 over 3: two each, and one more for the one that asked last.
    assert sorted(owners.count(owner) for owner in set(owners)) == [2, 2, 3]
    last = question(reader, Asked("overview", "sample-walking-club", OPEN)).organization_id
    assert owners.count(last) == 3


@needs_services
def test_the_warm_up_gives_each_organization_its_share(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    reader = open_reader(warehouse, redis_server, cache__max_keys_per_dashboard=8)
    asks = {
        question(reader, Asked("overview", HOSPITAL, OPEN, parameters={"days": days})).text: 1000 - days
        for days in range(1, 61)
    }
    admin.zadd(GROUP.asks(TODAY), asks)
    chosen = candidates(reader, reader._settings, ["overview"])
    organizations = reader.organizations()
    counts = [sum(q.organization_id == organization for q in chosen) for organization in organizations]
    assert sum(counts) == 8
    assert min(counts) >= 1
    # The most requested of the hospital come first.
    assert dict(chosen[0].parameters)["days"] == 1
