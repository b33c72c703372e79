"""The cache with a real Redis that fails in every way, and what its readers are answered meanwhile."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from support.dashboards.dashboard_scenario import HOSPITAL, OPEN, changed, reader
from support.warehouse import Warehouse

from orchestration.cache.answers import Answer
from orchestration.cache.entries import Entry, Lifetime, UnusableEntryError, pack, unpack
from orchestration.cache.keys import Group, Key
from orchestration.config.files import Settings
from orchestration.dashboards.question import Asked, Question, cache_key
from orchestration.dashboards.reader import Reader
from orchestration.errors import InsightsError
from orchestration.warehouse.connection import connect
from workshop.services import LocalPostgres, LocalRedis

needs_services = pytest.mark.services
ROLES = ["teacher"]
OVERVIEW = Asked("overview", HOSPITAL, OPEN)


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    return Warehouse.copy_of(built_sample, "cached_dashboards", postgres, settings)


@pytest.fixture
def admin(redis_server: LocalRedis) -> Iterator[redis.Redis]:
    with redis.from_url(redis_server.url()) as client:
        yield client


@pytest.fixture
def asking(warehouse: Warehouse, redis_server: LocalRedis) -> Iterator[Reader]:
    made = reader(warehouse, redis_server, cache__pause_seconds=0.05)
    yield made
    made.close()


def outcome(reader: Reader, asked: Asked = OVERVIEW) -> str:
    answer = reader.ask(asked, ROLES)
    assert set(json.loads(answer.entry.body)) == set(reader.dashboards[asked.dashboard].meta.panels)
    return answer.outcome


def question(reader: Reader, asked: Asked = OVERVIEW) -> Question:
    return reader.question(asked)


def key(reader: Reader, asked: Asked = OVERVIEW) -> str:
    return cache_key(question(reader, asked)).entry


def entries(admin: redis.Redis, dashboard: str = "overview") -> set[str]:
    names = admin.keys(f"insights:dev:{{{dashboard}}}:entry:*")
    return {name if isinstance(name, str) else name.decode() for name in names}


def aged(admin: redis.Redis, reader: Reader, seconds: float) -> None:
    """Make the entry older than it is, and keep it in Redis for ever."""
    raw, asked = admin.get(key(reader)), question(reader).text
    assert isinstance(raw, bytes)
    entry = unpack(raw, asked)
    older = dataclasses.replace(entry, computed_at=entry.computed_at - seconds)
    admin.set(key(reader), pack(older, Lifetime(10**6, 10**6)))


def test_an_entry_is_what_was_put_in() -> None:
    entry = Entry('{"a":1}', '{"ü": "\n"}'.encode(), 7, 1000.5, 0.25)
    raw = pack(entry, Lifetime(60, 900))
    assert unpack(raw, '{"a":1}') == entry
    prefix, header, asked, body = raw.split(b"\n", 3)
    assert (prefix, asked, body) == (b"2 %08x" % zlib.crc32(raw[11:]), b'{"a":1}', entry.body)
    assert json.loads(header) == {
        **{"load": 7, "computed_at": 1000.5, "seconds": 0.25},
        **{"fresh_seconds": 60, "hard_seconds": 960},
    }


def test_no_cut_or_changed_entry_is_believed() -> None:
    asked = '{"a":1}'
    raw = pack(Entry(asked, b"0123456789", 7, 1000.5, 0.25), Lifetime(60, 900))
    cut = [raw[:size] for size in range(len(raw))]
    flipped = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(len(raw))]
    foreign = [b"", b"\n", b"null\n", b"\x80\x04K\x01.", raw + b"0", b"1" + raw[1:], raw.replace(b"0123", b"3210")]
    # Those have a checksum that is right.
    for header in (b"null", b"[]", b"{}", b"[" * 100_000, b"{}}", b"", b"\xff"):
        foreign.append(_sealed(header + b"\n" + asked.encode() + b"\n0123456789"))
    for wrong in ('"load":"x"', '"load":Infinity', '"seconds":null', '"computed_at":NaN', '"computed_at":Infinity'):
        name = wrong.split(":")[0]
        text = raw.split(b"\n")[1].decode()
        changed_header = re.sub(rf"{name}:[0-9.]+", wrong, text)
        assert changed_header != text
        foreign.append(_sealed(f"{changed_header}\n{asked}\n0123456789".encode()))
    foreign.append(_sealed(raw.split(b"\n")[1]))
    for other in (*cut, *flipped, *foreign):
        with pytest.raises(UnusableEntryError):
            unpack(other, asked)
    with pytest.raises(UnusableEntryError, match="another question"):
        unpack(raw, '{"a":2}')
    for nearly in ('{"a":1} ', '{"a":1.0}', '{"a":true}', ""):
        with pytest.raises(UnusableEntryError, match="another question"):
            unpack(raw, nearly)


def _sealed(content: bytes) -> bytes:
    """What somebody would write who knows the format."""
    return b"2 %08x\n" % zlib.crc32(content) + content


@needs_services
def test_a_miss_is_kept_and_then_a_hit_whoever_asks(
    warehouse: Warehouse, redis_server: LocalRedis, asking: Reader
) -> None:
    first = asking.ask(OVERVIEW, ROLES)
    other = reader(warehouse, redis_server)
    by_id = dataclasses.replace(OVERVIEW, organization=question(asking).organization_id.upper())
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
def test_entries_and_leases_leave_redis_by_themselves(admin: redis.Redis, asking: Reader) -> None:
    outcome(asking)
    assert 900_000 < admin.pttl(key(asking)) <= 960_000  # dashboard_slow in dev: 60 s, and 15 minutes stale
    asked = Asked("task_volume", HOSPITAL, OPEN)
    outcome(asking, asked)
    assert 1_100_000 < admin.pttl(key(asking, asked)) <= 1_200_000  # dashboard_default: 300 s
    assert admin.keys("*lease*") == []


@needs_services
def test_without_a_cache_everything_is_computed(warehouse: Warehouse) -> None:
    asking = reader(warehouse)
    assert [outcome(asking) for _ in range(2)] == ["bypassed"] * 2
    assert asking.answers.counters.waiting() == {"overview:bypassed": 2}


@needs_services
def test_a_stale_entry_is_marked_and_one_asker_renews_it(admin: redis.Redis, asking: Reader) -> None:
    outcome(asking)
    aged(admin, asking, 61)
    lease = cache_key(question(asking)).lease
    admin.set(lease, "somebody else", px=60_000)
    answer = asking.ask(OVERVIEW, ROLES)
    assert (answer.outcome, answer.is_stale) == ("stale", True)
    assert admin.get(lease) == b"somebody else"
    admin.delete(lease)
    assert [outcome(asking), outcome(asking)] == ["misses", "hits"]


@needs_services
def test_no_entry_is_served_past_its_hard_limit(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis, asking: Reader
) -> None:
    outcome(asking)
    aged(admin, asking, 901)
    assert asking.read_back(question(asking))
    aged(admin, asking, 59)
    assert admin.exists(key(asking))
    assert asking.read_back(question(asking)) is None
    # Not even when there is nothing else to answer with.
    cut_off = reader(warehouse, redis_server, url="postgresql://nobody@/nothing?host=/nowhere")
    by_id = dataclasses.replace(OVERVIEW, organization=question(asking).organization_id)
    with pytest.raises(InsightsError, match="Cannot connect to PostgreSQL"):
        cut_off.ask(by_id, ROLES)
    assert outcome(asking) == "misses"
    aged(admin, asking, 901)
    assert cut_off.ask(by_id, ROLES).is_stale


@needs_services
def test_an_entry_that_passes_its_hard_limit_while_a_computation_fails_is_not_served(asking: Reader) -> None:
    request = asking.request(question(asking))
    request = dataclasses.replace(request, lifetime=Lifetime(0, 0.5))  # stale at once
    assert asking.answers.keep([(request, asking.compute(question(asking)))]) == [None]

    def fails_late() -> Entry:
        time.sleep(0.6)
        raise InsightsError("the warehouse is away")

    with pytest.raises(InsightsError, match="the warehouse is away"):
        asking.answers.get(request, fails_late)


@needs_services
def test_an_entry_of_a_clock_that_is_ahead_is_not_younger_for_it(admin: redis.Redis, asking: Reader) -> None:
    outcome(asking)
    aged(admin, asking, -59 * 1)
    assert outcome(asking) == "hits"
    aged(admin, asking, -3600)
    assert outcome(asking) == "misses"


@needs_services
def test_a_streaming_like_dashboard_is_never_stale(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    dashboards = reader(warehouse).dashboards
    overview = dashboards["overview"]
    streaming = overview.model_copy(update={"meta": overview.meta.model_copy(update={"ttl": "streaming_like"})})
    asking = reader(warehouse, redis_server, {"overview": streaming})
    outcome(asking)
    assert 0 < admin.pttl(key(asking)) <= 30_000
    aged(admin, asking, 31)
    assert asking.read_back(question(asking)) is None
    assert outcome(asking) == "misses"


@needs_services
def test_an_entry_of_an_older_load_is_stale(admin: redis.Redis, built: Warehouse, redis_server: LocalRedis) -> None:
    asking = reader(built, redis_server)
    first = asking.ask(OVERVIEW, ROLES)
    assert outcome(asking) == "hits"
    built.execute("""
        insert into insights_ops.load_log
            (relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment)
        select relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, 'the next night', environment
        from insights_ops.load_log where relation_name = 'report_task_volume'
    """)
    other = dataclasses.replace(OVERVIEW, parameters={"days": 7})
    newer = asking.ask(other, ROLES)  # the next computation replaces the entry for every reader
    assert newer.entry.load > first.entry.load
    assert (answer := asking.read_back(question(asking))) and answer.is_stale
    assert [outcome(asking), outcome(asking)] == ["misses", "hits"]
    # A restored warehouse counts its loads from the start, and is accepted once the cached entries have expired.
    admin.set("insights:dev:{overview}:load", 10**9, px=60_000)
    assert [outcome(asking), outcome(asking)] == ["misses", "misses"]
    admin.delete("insights:dev:{overview}:load")
    assert outcome(asking) == "hits"


@needs_services
def test_a_stopped_redis_costs_nobody_an_answer(redis_server: LocalRedis, asking: Reader) -> None:
    outcome(asking)
    redis_server.stop()
    assert [outcome(asking) for _ in range(3)] == ["bypassed"] * 3
    redis_server.start()
    time.sleep(0.06)  # the pause in which it is left alone
    assert [outcome(asking) for _ in range(2)] == ["misses", "hits"]
    asking.answers.counters.send()
    assert asking.store
    counted = asking.store.counters("dev")
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
    assert outcome(reader(warehouse, redis_server)) == "misses"
    asking = reader(warehouse, redis_server, cache__timeout_ms=50, cache__pause_seconds=600)
    with paused(redis_server):
        assert [outcome(asking) for _ in range(20)] == ["bypassed"] * 20
        asked_once = asking.store
        assert asked_once and asked_once._paused_until > time.monotonic()
    another = reader(warehouse, redis_server)
    assert outcome(another) == "hits"


@needs_services
def test_a_redis_that_is_paused_between_lease_and_entry_blocks_nobody(
    warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    asking = reader(warehouse, redis_server, cache__timeout_ms=50, cache__pause_seconds=0.01)
    asked = question(asking)
    with paused(redis_server):
        pause = asking.answers.get(asking.request(asked), lambda: asking.compute(asked))
    assert pause.outcome == "bypassed"
    deadline = time.monotonic() + 60  # 50 ms may be too little for a Redis on a busy machine, but not for ever
    while (found := outcome(asking)) == "bypassed":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert found in ("misses", "hits", "waited")


@needs_services
def test_a_full_redis_still_answers_what_it_has_and_refuses_the_rest(admin: redis.Redis, asking: Reader) -> None:
    outcome(asking)
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", "1mb")
    assert outcome(asking) == "hits"
    other = dataclasses.replace(OVERVIEW, parameters={"days": 3})
    assert [outcome(asking, other) for _ in range(2)] == ["misses", "misses"]
    assert len(entries(admin)) == 1
    assert asking.answers.counters.waiting()["overview:refused_writes"] >= 2
    admin.config_set("maxmemory", "64mb")
    assert [outcome(asking, other) for _ in range(2)] == ["misses", "hits"]


@needs_services
def test_a_flushed_redis_begins_anew(admin: redis.Redis, asking: Reader) -> None:
    outcome(asking)
    admin.flushall()
    admin.script_flush()
    assert [outcome(asking) for _ in range(2)] == ["misses", "hits"]


@needs_services
def test_a_wrong_password_or_a_reader_without_rights_is_answered(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    rights = {"enabled": True, "passwords": ["+pass"], "keys": ["*"], "categories": ["+@read"], "commands": ["+select"]}
    admin.acl_setuser("looker", **rights)  # type: ignore[arg-type]
    wrong = reader(warehouse, cache__url=redis_server.url().replace("unix://", "unix://looker:wrong@"))
    assert [outcome(wrong) for _ in range(2)] == ["bypassed"] * 2
    looker = reader(warehouse, cache__url=redis_server.url().replace("unix://", "unix://looker:pass@"))
    assert outcome(looker) == "misses"
    assert outcome(reader(warehouse, redis_server)) == "misses"
    assert outcome(looker) == "hits"


@needs_services
def test_a_read_only_replica_is_answered(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis, asking: Reader
) -> None:
    admin.replicaof("127.0.0.1", "1")
    assert [outcome(asking) for _ in range(2)] == ["misses"] * 2
    admin.replicaof("NO", "ONE")
    assert [outcome(asking) for _ in range(2)] == ["misses", "hits"]


@needs_services
@pytest.mark.parametrize("kind", ["garbage", "cut", "flipped", "hash", "other version", "pickle"])
def test_a_corrupt_or_foreign_entry_is_ignored_and_replaced(admin: redis.Redis, asking: Reader, kind: str) -> None:
    right = asking.ask(OVERVIEW, ROLES).entry
    raw = admin.get(key(asking))
    assert isinstance(raw, bytes)
    if kind == "hash":
        admin.delete(key(asking))
        admin.hset(key(asking), "a", "b")
    else:
        wrong = {
            "garbage": os.urandom(500),
            "cut": raw[:-1],
            "flipped": raw.replace(b'"tasks"', b'"tusks"'),
            "other version": b"1" + raw[1:],
            "pickle": b"\x80\x04\x95" + raw,
        }
        admin.set(key(asking), wrong[kind])
    answer = asking.ask(OVERVIEW, ROLES)
    assert (answer.outcome, answer.entry.body) == ("misses", right.body)
    assert outcome(asking) == "hits"
    asking.answers.counters.send()
    assert asking.store
    assert asking.store.counters("dev")["overview:ignored_entries"] >= 1


def ask_in_turn(asking: Reader, asked: Sequence[Asked]) -> None:
    """Ask each a moment after the one before, so that the first is the coldest."""
    for one in asked:
        outcome(asking, one)
        time.sleep(0.002)


@needs_services
def test_a_dashboard_keeps_as_many_entries_as_it_may_and_the_coldest_leave(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    asking = reader(warehouse, redis_server, cache__max_keys_per_dashboard=5)
    asked = [dataclasses.replace(OVERVIEW, parameters={"days": days}) for days in range(1, 20)]

    def kept() -> set[int]:
        there = entries(admin)
        return {one.parameters["days"] for one in asked if key(asking, one) in there}  # type: ignore[misc]

    ask_in_turn(asking, asked[:5])
    assert outcome(asking, asked[0]) == "hits"  # warm again: asked[1] is the coldest now
    time.sleep(0.002)
    outcome(asking, asked[5])
    assert kept() == {1, 3, 4, 5, 6}
    # What expired or was evicted does not count.
    admin.delete(key(asking, asked[2]), key(asking, asked[3]))
    for one in asked[6:8]:
        time.sleep(0.002)
        outcome(asking, one)
    assert kept() == {1, 5, 6, 7, 8}
    assert admin.zcard("insights:dev:{overview}:index") == 5
    # Another dashboard has entries of its own.
    outcome(asking, Asked("task_volume", HOSPITAL, OPEN))
    assert len(entries(admin)) == 5
    assert len(entries(admin, "task_volume")) == 1
    # A warm-up is bounded too, and what it renews is not warmer for it.
    questions = [question(asking, one) for one in asked]
    assert asking.keep(list(zip(questions, asking.compute_all(questions), strict=True))) == [None] * 19
    assert len(entries(admin)) == 5


@needs_services
def test_what_a_warm_up_renews_is_not_warmer_for_it(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis
) -> None:
    asking = reader(warehouse, redis_server, cache__max_keys_per_dashboard=3)
    asked = [dataclasses.replace(OVERVIEW, parameters={"days": days}) for days in range(1, 5)]
    ask_in_turn(asking, asked[:3])
    coldest = question(asking, asked[0])
    assert asking.keep([(coldest, asking.compute(coldest))]) == [None]
    time.sleep(0.002)
    outcome(asking, asked[3])
    assert entries(admin) == {key(asking, one) for one in asked[1:]}


@needs_services
def test_what_another_has_just_computed_is_not_computed_again(
    warehouse: Warehouse, redis_server: LocalRedis, asking: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, store = reader(warehouse, redis_server), asking.store
    assert store
    take = store.take_lease
    theirs = []

    def after_another(key: Key, token: str, seconds: float) -> bool:
        theirs.append(other.ask(OVERVIEW, ROLES).entry)  # between our look and our lease
        return take(key, token, seconds)

    monkeypatch.setattr(store, "take_lease", after_another)
    answer = asking.ask(OVERVIEW, ROLES)
    assert (answer.outcome, [answer.entry]) == ("waited", theirs)


@needs_services
def test_nobody_gives_back_the_lease_of_another(admin: redis.Redis, asking: Reader) -> None:
    store, mine = asking.store, cache_key(question(asking))
    assert store
    assert store.take_lease(mine, "ours", 60)
    assert not store.take_lease(mine, "theirs", 60)
    admin.set(mine.lease, "theirs")  # ours had ended, and somebody else computes
    store.release_lease(mine, "ours")
    assert admin.get(mine.lease) == b"theirs"
    store.release_lease(mine, "theirs")
    assert admin.get(mine.lease) is None


@needs_services
def test_a_computation_that_takes_too_long_is_ended_by_the_database(
    admin: redis.Redis, built: Warehouse, redis_server: LocalRedis
) -> None:
    built.execute(f"alter role orgo_insights_ro in database {built.name} set lock_timeout = '20s'")  # not for ever
    asking = reader(built, redis_server, cache__compute_seconds=1)
    with connect(built.admin_url) as holder:
        holder.execute("lock table insights.pattern_weekly in access exclusive mode")
        with pytest.raises(InsightsError, match="The dashboard took longer than"):
            asking.ask(OVERVIEW, ROLES)
    assert outcome(asking) == "misses"


@needs_services
def test_every_answer_is_counted_once_and_the_most_asked_are_known(
    admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis, asking: Reader
) -> None:
    asked = [dataclasses.replace(OVERVIEW, parameters={"days": days}) for days in (1, 2, 3)]
    for one, times in zip(asked, (2, 5, 1), strict=True):
        for _ in range(times):
            outcome(asking, one)
    with pytest.raises(InsightsError):
        asking.ask(dataclasses.replace(OVERVIEW, organization="00000000-0000-4000-8000-000000000000"), ROLES)
    asking.close()
    store = reader(warehouse, redis_server).store
    assert store
    assert store.counters("dev") == {"overview:misses": 3, "overview:hits": 5, "overview:failed_computations": 1}
    other = reader(warehouse, redis_server)
    most = other.most_requested("overview", 2)
    assert most == [(question(other, asked[1]), 5), (question(other, asked[0]), 2)]
    admin.zincrby(Group("dev", "overview").asks(time.strftime("%Y-%m-%d", time.gmtime())), 99, "no question")
    assert other.most_requested("overview", 2) == most
    assert 0 < admin.ttl(Group("dev", "overview").asks(time.strftime("%Y-%m-%d", time.gmtime()))) <= 2 * 86_400


@needs_services
def test_the_counts_of_asks_are_bounded(admin: redis.Redis, warehouse: Warehouse, redis_server: LocalRedis) -> None:
    asking = reader(warehouse, redis_server, cache__max_keys_per_dashboard=4)
    for days in (1, 1, *range(1, 12)):
        outcome(asking, dataclasses.replace(OVERVIEW, parameters={"days": days}))
    asks = admin.keys("insights:dev:{overview}:asks:*")
    assert [admin.zcard(name) for name in asks] == [4]
    assert dict(asking.most_requested("overview", 1)[0][0].parameters)["days"] == 1


@needs_services
def test_a_warehouse_that_is_away_leaves_the_stale_answer(
    admin: redis.Redis, built: Warehouse, redis_server: LocalRedis
) -> None:
    asking = reader(built, redis_server)
    fresh = asking.ask(OVERVIEW, ROLES)
    aged(admin, asking, 61)
    built.execute("alter table insights.pattern_weekly rename to elsewhere")
    answer: Answer = asking.ask(OVERVIEW, ROLES)
    assert (answer.is_stale, answer.entry.body) == (True, fresh.entry.body)
    with pytest.raises(InsightsError, match="are not built yet"):
        asking.ask(dataclasses.replace(OVERVIEW, parameters={"days": 3}), ROLES)
    assert admin.keys("*lease*") == []  # also after a computation that failed


@needs_services
def test_settings_with_a_url_that_is_none_are_refused_without_showing_it(
    settings: Settings, warehouse: Warehouse
) -> None:
    with pytest.raises(InsightsError, match="INSIGHTS_REDIS_URL must be like") as caught:
        reader(warehouse, cache__url="http://:secret@host:6379/1")
    assert "secret" not in str(caught.value)
    assert changed(settings, {"cache.url": "redis://h:6379/1"}).redis_url == "redis://h:6379/1"
    any_value: Any = changed(settings, {"cache.url": "${INSIGHTS_REDIS_URL}"}).redis_url
    assert any_value is None
