"""Attempts to make a dashboard answer with entries planted in its cache. None succeeds."""

from __future__ import annotations

import json

import pytest
import redis
from support.dashboards.dashboard_attacks import SQL
from support.dashboards.dashboard_scenario import HOSPITAL, OPEN, STORES, open_reader
from support.warehouse import Warehouse

from orchestration.dashboards.question import Asked, cache_key
from orchestration.dashboards.reader import Reader
from workshop.services import LocalRedis

pytest_plugins = ["support.dashboards.cache_sessions"]
pytestmark = pytest.mark.services


def entry_of(reader: Reader, request: Asked) -> str:
    return cache_key(reader.question(request)).entry


@pytest.mark.parametrize("other", [Asked("overview", HOSPITAL), Asked("overview", STORES, OPEN)])
def test_an_answer_of_a_wider_role_or_another_organization_planted_under_ones_key(
    admin: redis.Redis, reader: Reader, other: Asked
) -> None:
    mine = Asked("overview", HOSPITAL, OPEN)
    right = reader.ask(mine, ["teacher"])
    foreign = reader.ask(other, ["auditor"])
    admin.copy(entry_of(reader, other), entry_of(reader, mine), replace=True)
    answer = reader.ask(mine, ["teacher"])
    assert (answer.outcome, answer.entry.body) == ("misses", right.entry.body)
    assert answer.entry.body != foreign.entry.body


def test_the_anonymised_answer_planted_under_the_plain_key(admin: redis.Redis, reader: Reader) -> None:
    plain, anonymised = Asked("open_patterns", HOSPITAL, OPEN), Asked("open_patterns", HOSPITAL, is_anonymised=True)
    right = reader.ask(plain, ["teacher"])
    reader.ask(anonymised, ["analyst"])
    admin.copy(entry_of(reader, anonymised), entry_of(reader, plain), replace=True)
    assert reader.ask(plain, ["teacher"]).entry.body == right.entry.body


def test_a_planted_lease_without_end(warehouse: Warehouse, redis_server: LocalRedis, admin: redis.Redis) -> None:
    reader = open_reader(warehouse, redis_server, cache__compute_seconds=1)
    request = Asked("overview", HOSPITAL, OPEN)
    admin.set(cache_key(reader.question(request)).lease, "mine forever")
    assert reader.ask(request, ["teacher"]).outcome == "misses"
    assert reader.ask(request, ["teacher"]).outcome == "hits"


@pytest.mark.parametrize("load", ["999999999", "99999999999999999999999", "x", "-1", ""])
def test_a_planted_load_without_end(admin: redis.Redis, reader: Reader, load: str) -> None:
    request = Asked("overview", HOSPITAL, OPEN)
    admin.set("insights:dev:{overview}:load", load)
    assert reader.ask(request, ["teacher"]).outcome == "misses"
    assert reader.ask(request, ["teacher"]).outcome == "hits"


def test_a_planted_count_does_not_make_the_warm_up_compute_an_invalid_question(
    admin: redis.Redis, reader: Reader
) -> None:
    request = Asked("overview", HOSPITAL, OPEN)
    reader.ask(request, ["teacher"])
    reader.answers.counters.send()
    (asks,) = admin.keys("*:asks:*")
    (oldest,) = admin.zrange(asks, 0, 0)
    assert isinstance(oldest, bytes | str)
    good = json.loads(oldest)
    for wrong in (
        {"parameters": {"days": SQL[1]}},
        {"parameters": {"days": 10**6}},
        {"dashboard": "open_patterns"},
        {"visibilities": ["ANONYMISED"]},
        {"form": "raw"},
        {"definition": "another"},
        {"min_group_size": 1},
        {"environment": "prod"},
        {"organization_id": SQL[0]},
        {"organization_id": 7},
    ):
        admin.zadd(asks, {json.dumps(good | wrong): 1000})
    assert reader.most_requested("overview", 50) == [(reader.question(request), 1)]
