"""Answers that a process has just given: to whom they are given again, and for how long (decision D196)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from gzip import decompress
from typing import Any

import pytest
import redis as redis_client
from support.api.server import Api, running
from support.api.tokens import SECRET, token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.warehouse import Warehouse, stopped

from orchestration.api.answers import Repeat
from orchestration.api.limits import seconds_left
from orchestration.api.recent import MOST_BYTES, Kept, Key, Recent
from workshop.services import LocalRedis

pytest_plugins = ["support.api.fixtures"]

ORIGIN = "https://orgo.example.org"
MINUTE: dict[str, Any] = {
    "reports_api__recent_ms": 60_000,
    "reports_api__requests_per_minute": 8,
    "reports_api__cors_origins": [ORIGIN],
}
PATIENCE = 20  # seconds in which nine requests are answered on a busy machine


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
        for user, roles in (("a", ["teacher", "nurse"]), ("b", ["nurse", "teacher"]), ("c", ["auditor"]))
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
        assert api.get(known, second, If_None_Match=f'"x", {again.headers["etag"]}').status == 304
        assert api.get(known, second, If_None_Match='"x"').body == again.body
    assert (before.status, again.status) == (200, 200)
    assert again.json["data"] == before.json["data"]
    assert "hits" in again.headers["server-timing"]
    assert api.get(known, strangers).status == 404
    assert again.json["visibilities"] == ["PUBLIC", "INTERNAL"]
    assert api.get(known, wide).json["visibilities"] == ["PUBLIC", "INTERNAL", "RESTRICTED"]
    assert api.get(f"{known}?visibility=RESTRICTED", wide).status == 200
    assert api.get(f"{known}?visibility=RESTRICTED", second).status == 403
    assert api.get(known, second).body == again.body


@pytest.mark.services
def test_it_is_given_again_in_the_form_that_is_asked_for(api: Api) -> None:
    bearer, known = token(api.organization(HOSPITAL)), path(api, HOSPITAL)
    plain = api.get(known, bearer)
    small = [api.get(known, bearer, Accept_Encoding="gzip") for _ in range(2)]
    assert [decompress(got.body) for got in small] == [plain.body, plain.body]
    assert [got.headers["content-encoding"] for got in small] == ["gzip", "gzip"]
    read = [api.get(known, bearer, Origin=origin) for origin in (ORIGIN, ORIGIN, "https://elsewhere.example.org")]
    assert [got.headers.get("access-control-allow-origin") for got in read] == [ORIGIN, ORIGIN, None]
    last = api.get(known, bearer)
    assert (last.body, last.headers.get("content-encoding")) == (plain.body, None)
    assert "access-control-allow-origin" not in last.headers


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


def key(organization: str = "an id", query: bytes = b"") -> Key:
    """Return what an answer is known by."""
    return "/v1", query, organization, frozenset({"teacher"}), (None, None)


def kept(body: bytes = b"{}", fresh_seconds: float = 60) -> Kept:
    """Return an answer that was computed now."""
    now = time.time()
    return Kept(Repeat(now, now + fresh_seconds, lambda: None), "/v1", "an id", "a tag", [], body)


def test_all_are_forgotten_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    recent = Recent(1.0)
    recent.keep(key(), kept())
    now[0] = 100.9
    recent.keep(key("another"), kept())
    assert recent.get(key()) and recent.get(key("another"))
    now[0] = 101.0
    assert recent.get(key()) is None and recent.get(key("another")) is None
    recent.keep(key(), kept())
    assert recent.get(key()) and recent.get(key("another")) is None


def test_what_is_old_is_not_given_again_nor_what_has_no_room() -> None:
    recent = Recent(60.0)
    recent.keep(key("large"), kept(b"x" * (MOST_BYTES - 1)))
    recent.keep(key(), kept(b"{}"))
    assert recent.get(key("large")) is not None
    assert recent.get(key()) is None  # two bytes, and there is room for one
    recent = Recent(60.0)
    recent.keep(key(query=b"x" * MOST_BYTES), kept(b"{}"))
    assert recent.get(key(query=b"x" * MOST_BYTES)) is None
    recent.keep(key(), kept(fresh_seconds=0))
    assert recent.get(key()) is None
    none = Recent(0.0)
    none.keep(key(), kept())
    assert none.get(key()) is None
