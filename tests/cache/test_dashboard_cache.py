"""Cached answers of dashboards: kept, marked when stale, and never served past their hard limit."""

from __future__ import annotations

import dataclasses
import hmac
import json
import re
import time
import zlib

import pytest
import redis
from support.dashboards.cached_answers import OVERVIEW, ROLES, aged, key, outcome, question
from support.dashboards.dashboard_scenario import HOSPITAL, OPEN, open_reader
from support.warehouse import Warehouse

from orchestration.cache.answers import Answer
from orchestration.cache.entries import Entry, Lifetime, UnusableEntryError, pack, unpack
from orchestration.cache.keys import Group
from orchestration.cache.seals import sealed_load
from orchestration.dashboards.question import Asked, cache_key
from orchestration.dashboards.reader import Reader
from orchestration.errors import InsightsError
from workshop.services import LocalRedis

pytest_plugins = ["support.dashboards.cache_sessions"]

needs_services = pytest.mark.services
KEY = b"a key for the cache of these tests, 7f3a"


def test_an_entry_is_what_was_put_in() -> None:
    entry = Entry('{"a":1}', '{"ü": "\n"}'.encode(), 7, 1000.5, 0.25)
    raw = pack(entry, Lifetime(60, 900), KEY)
    assert unpack(raw, '{"a":1}', KEY) == entry
    prefix, header, text, body = raw.split(b"\n", 3)
    assert (prefix, text, body) == (b"3 " + _seal(raw[35:]), b'{"a":1}', entry.body)
    assert json.loads(header) == {
        **{"load": 7, "computed_at": 1000.5, "seconds": 0.25},
        **{"fresh_seconds": 60, "hard_seconds": 960},
    }


def test_no_cut_or_changed_entry_is_believed() -> None:
    text = '{"a":1}'
    raw = pack(Entry(text, b"0123456789", 7, 1000.5, 0.25), Lifetime(60, 900), KEY)
    cut = [raw[:size] for size in range(len(raw))]
    flipped = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(len(raw))]
    foreign = [b"", b"\n", b"null\n", b"\x80\x04K\x01.", raw + b"0", b"1" + raw[1:], raw.replace(b"0123", b"3210")]
    # Those have a seal that is right.
    for header in (b"null", b"[]", b"{}", b"[" * 100_000, b"{}}", b"", b"\xff"):
        foreign.append(_sealed(header + b"\n" + text.encode() + b"\n0123456789"))
    for wrong in ('"load":"x"', '"load":Infinity', '"seconds":null', '"computed_at":NaN', '"computed_at":Infinity'):
        name = wrong.split(":")[0]
        text = raw.split(b"\n")[1].decode()
        changed_header = re.sub(rf"{name}:[0-9.]+", wrong, text)
        assert changed_header != text
        foreign.append(_sealed(f"{changed_header}\n{text}\n0123456789".encode()))
    foreign.append(_sealed(raw.split(b"\n")[1]))
    # These have the seal of another key, or none: a client that can write to Redis knows all but the key.
    content = raw.split(b"\n", 1)[1]
    foreign += [b"3 " + _seal(content, b"x" * 32) + b"\n" + content, b"3 " + b"0" * 32 + b"\n" + content]
    foreign.append(b"2 %08x\n" % zlib.crc32(content) + content)
    for other in (*cut, *flipped, *foreign):
        with pytest.raises(UnusableEntryError):
            unpack(other, text, KEY)
    with pytest.raises(UnusableEntryError, match="another question"):
        unpack(raw, '{"a":2}', KEY)
    for nearly in ('{"a":1} ', '{"a":1.0}', '{"a":true}', ""):
        with pytest.raises(UnusableEntryError, match="another question"):
            unpack(raw, nearly, KEY)


def _sealed(content: bytes) -> bytes:
    """Return the content with a valid beginning, as a process that has the key can write it."""
    return b"3 " + _seal(content) + b"\n" + content


def _seal(content: bytes, key: bytes = KEY) -> bytes:
    return hmac.new(key, content, "sha256").hexdigest()[:32].encode()


@needs_services
def test_a_miss_is_stored_and_is_then_a_hit_for_every_client(
    warehouse: Warehouse, redis_server: LocalRedis, reader: Reader
) -> None:
    first = reader.ask(OVERVIEW, ROLES)
    other = open_reader(warehouse, redis_server)
    by_id = dataclasses.replace(OVERVIEW, organization=question(reader).organization_id.upper())
    second = other.ask(by_id, ["nurse", "teacher"])
    assert (first.outcome, second.outcome) == ("misses", "hits")
    assert second.entry == first.entry
    newest = warehouse.value(
        "select max(load_log_id) from insights_ops.load_log where relation_name = any(%s)",
        [
            *(
                "dim_organizations",
                "pattern_weekly",
                "report_profile_scores",
                "report_sla_breaches",
                "report_task_volume",
            )
        ],
    )
    assert first.entry.load == newest
    assert 0 < first.entry.seconds < 60
    assert abs(first.entry.computed_at - time.time()) < 60


@needs_services
def test_entries_and_leases_leave_redis_by_themselves(admin: redis.Redis, reader: Reader) -> None:
    outcome(reader)
    assert 900_000 < admin.pttl(key(reader)) <= 960_000  # dashboard_slow in dev: 60 s, and 15 minutes stale
    request = Asked("task_volume", HOSPITAL, OPEN)
    outcome(reader, request)
    assert 1_100_000 < admin.pttl(key(reader, request)) <= 1_200_000  # dashboard_default: 300 s
    assert admin.keys("*lease*") == []


@needs_services
def test_without_a_cache_everything_is_computed(warehouse: Warehouse) -> None:
    reader = open_reader(warehouse)
    assert [outcome(reader) for _ in range(2)] == ["bypassed"] * 2
    assert reader.answers.counters.waiting() == {"overview:bypassed": 2}


@needs_services
def test_a_stale_entry_is_marked_and_one_client_renews_it(admin: redis.Redis, reader: Reader) -> None:
    outcome(reader)
    aged(admin, reader, 61)
    lease = cache_key(question(reader)).lease
    admin.set(lease, "another client", px=60_000)
    answer = reader.ask(OVERVIEW, ROLES)
    assert (answer.outcome, answer.is_stale) == ("stale", True)
    assert admin.get(lease) == b"another client"
    admin.delete(lease)
    assert [outcome(reader), outcome(reader)] == ["misses", "hits"]


@needs_services
def test_no_entry_is_served_past_its_hard_limit(
    admin: redis.Redis,
    warehouse: Warehouse,
    redis_server: LocalRedis,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A process that starts without a warehouse cannot get the key from there (decision D155).
    monkeypatch.setenv("INSIGHTS_CACHE_KEY", KEY.decode())
    outcome(reader)
    aged(admin, reader, 901)
    assert reader.read_back(question(reader))
    aged(admin, reader, 59)
    assert admin.exists(key(reader))
    assert reader.read_back(question(reader)) is None
    # Not even when there is nothing else to answer with.
    cut_off = open_reader(warehouse, redis_server, url="postgresql://nobody@/nothing?host=/nowhere")
    by_id = dataclasses.replace(OVERVIEW, organization=question(reader).organization_id)
    with pytest.raises(InsightsError, match="Cannot connect to PostgreSQL"):
        cut_off.ask(by_id, ROLES)
    assert outcome(reader) == "misses"
    aged(admin, reader, 901)
    assert cut_off.ask(by_id, ROLES).is_stale


@needs_services
def test_an_entry_that_passes_its_hard_limit_while_a_computation_fails_is_not_served(reader: Reader) -> None:
    request = reader.request(question(reader))
    request = dataclasses.replace(request, lifetime=Lifetime(0, 0.5))  # stale at once
    assert reader.answers.keep([(request, reader.compute(question(reader)))]) == [None]

    def fails_late() -> Entry:
        time.sleep(0.6)
        raise InsightsError("the warehouse is away")

    with pytest.raises(InsightsError, match="the warehouse is away"):
        reader.answers.get(request, fails_late)


@needs_services
def test_an_entry_of_a_clock_that_is_ahead_is_not_younger_for_it(admin: redis.Redis, reader: Reader) -> None:
    outcome(reader)
    aged(admin, reader, -59 * 1)
    assert outcome(reader) == "hits"
    aged(admin, reader, -3600)
    assert outcome(reader) == "misses"


@needs_services
def test_a_streaming_like_dashboard_is_never_stale(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    dashboards = open_reader(warehouse).dashboards
    overview = dashboards["overview"]
    streaming = overview.model_copy(update={"meta": overview.meta.model_copy(update={"ttl": "streaming_like"})})
    reader = open_reader(warehouse, redis_server, {"overview": streaming})
    outcome(reader)
    assert 0 < admin.pttl(key(reader)) <= 30_000
    aged(admin, reader, 31)
    assert reader.read_back(question(reader)) is None
    assert outcome(reader) == "misses"


@needs_services
def test_an_entry_of_an_older_load_is_stale(admin: redis.Redis, built: Warehouse, redis_server: LocalRedis) -> None:
    reader = open_reader(built, redis_server)
    first = reader.ask(OVERVIEW, ROLES)
    assert outcome(reader) == "hits"
    built.execute("""
        insert into insights_ops.load_log
            (relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment)
        select relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, 'the next night', environment
        from insights_ops.load_log where relation_name = 'report_task_volume'
    """)
    other = dataclasses.replace(OVERVIEW, parameters={"days": 7})
    newer = reader.ask(other, ROLES)  # the next computation replaces the entry for every reader
    assert newer.entry.load > first.entry.load
    assert (answer := reader.read_back(question(reader))) and answer.is_stale
    assert [outcome(reader), outcome(reader)] == ["misses", "hits"]
    # A restored warehouse counts its loads from the start, and is accepted once the cached entries have expired.
    seal_key = reader.seals.key()
    assert seal_key
    admin.set("insights:dev:{overview}:load", sealed_load(seal_key, Group("dev", "overview"), 10**9), px=60_000)
    assert [outcome(reader), outcome(reader)] == ["misses", "misses"]
    admin.delete("insights:dev:{overview}:load")
    assert outcome(reader) == "hits"


@needs_services
def test_a_warehouse_that_is_away_leaves_the_stale_answer(
    admin: redis.Redis, built: Warehouse, redis_server: LocalRedis
) -> None:
    reader = open_reader(built, redis_server)
    fresh = reader.ask(OVERVIEW, ROLES)
    aged(admin, reader, 61)
    built.execute("alter table insights.dim_organizations rename to elsewhere")
    answer: Answer = reader.ask(OVERVIEW, ROLES)
    assert (answer.is_stale, answer.entry.body) == (True, fresh.entry.body)
    with pytest.raises(InsightsError, match="are not built yet"):
        reader.ask(dataclasses.replace(OVERVIEW, parameters={"days": 3}), ROLES)
    assert admin.keys("*lease*") == []  # also after a computation that failed
