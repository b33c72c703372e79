"""Answers that a process has just given: to whom they are given again, and for how long (decision D196)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis as redis_client
from support.api.server import Api, running
from support.api.tokens import SECRET, token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.warehouse import Warehouse, stopped

from orchestration.api.answers import Answered
from orchestration.api.limits import seconds_left
from orchestration.api.recent import MOST_BYTES, Recent
from orchestration.cache.answers import Answer
from orchestration.cache.entries import Entry
from orchestration.dashboards.question import Question
from workshop.services import LocalRedis

pytest_plugins = ["support.api.fixtures"]

MINUTE: dict[str, Any] = {"reports_api__recent_ms": 60_000, "reports_api__requests_per_minute": 8}
PATIENCE = 20  # seconds in which nine requests are answered on a busy machine
QUESTION = Question("dev", "overview", "an id", "plain", ("PUBLIC",), (), None, "digest")


@pytest.fixture
def api(sample: Warehouse, redis_of_module: LocalRedis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Yield a service that remembers answers for a minute and answers eight questions of a user in that time."""
    monkeypatch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
    with running(sample, redis_of_module, **MINUTE) as made:
        yield made


def path(api: Api, slug: str) -> str:
    """Return the path of the overview of an organization."""
    return f"/v1/organizations/{api.organization(slug)}/dashboards/overview"


@pytest.mark.services
def test_it_is_given_again_to_who_may_ask_the_same(api: Api) -> None:
    id_ = api.organization(HOSPITAL)
    first, second, wide = (
        token(id_, sub=user, roles=roles)
        for user, roles in (("a", ["teacher"]), ("b", ["teacher", "nurse"]), ("c", ["auditor"]))
    )
    known = path(api, HOSPITAL)
    before = api.get(known, first)
    api.get("/v1/freshness", second)  # verifies the token
    api.get("/v1/freshness", wide)
    strangers = token(api.organization(STORES))
    api.get("/v1/freshness", strangers)
    with redis_client.from_url(api.service.settings.redis_url or "") as client:
        process = client.info("server")["process_id"]
        client.flushall()
    with stopped(process):
        again = api.get(known, second)
    assert (before.status, again.status) == (200, 200)
    assert again.json["data"] == before.json["data"]
    assert "hits" in again.headers["server-timing"]
    tag = again.headers["etag"]
    assert api.get(known, second, If_None_Match=tag).status == 304
    assert api.get(known, strangers).status == 404
    assert again.json["visibilities"] == ["PUBLIC", "INTERNAL"]
    assert api.get(known, wide).json["visibilities"] == ["PUBLIC", "INTERNAL", "RESTRICTED"]
    assert api.get(f"{known}?visibility=RESTRICTED", wide).status == 200
    assert api.get(f"{known}?visibility=RESTRICTED", second).status == 403
    assert api.get(known, second).body == again.body


@pytest.mark.services
def test_a_token_that_expires_or_is_forged_is_refused(api: Api) -> None:
    known, id_ = path(api, HOSPITAL), api.organization(HOSPITAL)
    skew = api.service.settings.insights.reports_api.clock_skew_seconds
    expiring = token(id_, exp=int(time.time()) + 2 - skew)
    assert api.get(known, expiring).status == 200
    assert api.get(known, expiring[:-4] + "AAAA").status == 401
    time.sleep(3)
    assert api.get(known, expiring).status == 401


@pytest.mark.services
def test_requests_are_counted(api: Api) -> None:
    bearer, known = token(api.organization(HOSPITAL)), path(api, HOSPITAL)
    counters = api.service.reader.answers.counters
    counters.send()
    if (left := seconds_left()) < PATIENCE:  # the ninth request belongs to the same minute
        time.sleep(left)
    statuses = [api.get(known, bearer).status for _ in range(9)]
    assert statuses == [200] * 8 + [429]
    assert counters.waiting()["overview:hits"] >= 7


def answered(question: Question = QUESTION, body: bytes = b"{}", is_stale: bool = False) -> Answered:
    """Return an answer that was computed now and is fresh for a minute."""
    return Answered(question, Answer(Entry("", body, 1, time.time(), 0.1), "misses", is_stale), 60, 0.1)


def test_all_are_forgotten_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    kept, other = Recent(1.0), replace(QUESTION, organization_id="another")
    kept.keep(answered())
    now[0] = 100.9
    kept.keep(answered(other))
    assert kept.get(QUESTION) and kept.get(other)
    now[0] = 101.0
    assert kept.get(QUESTION) is None and kept.get(other) is None
    kept.keep(answered())
    assert kept.get(QUESTION) and kept.get(other) is None


def test_what_is_stale_or_old_is_not_given_again_nor_what_has_no_room() -> None:
    kept = Recent(60.0)
    kept.keep(answered(is_stale=True))
    assert kept.get(QUESTION) is None
    large = replace(QUESTION, organization_id="large")
    kept.keep(answered(large, body=b"x" * (MOST_BYTES - 1)))
    kept.keep(answered(body=b"{}"))
    assert kept.get(large) is not None
    assert kept.get(QUESTION) is None  # two bytes, and there is room for one
    kept = Recent(60.0)
    kept.keep(replace(answered(), fresh_seconds=0.0))
    assert kept.get(QUESTION) is None
    none = Recent(0.0)
    none.keep(answered())
    assert none.get(QUESTION) is None
