"""Questions to a cached dashboard, and the entries in Redis that answer them."""

from __future__ import annotations

import dataclasses
import json

import redis
from support.dashboards.dashboard_scenario import HOSPITAL, OPEN

from orchestration.cache.entries import Lifetime, pack, unpack
from orchestration.dashboards.question import Asked, Question, cache_key
from orchestration.dashboards.reader import Reader

ROLES = ["teacher"]


OVERVIEW = Asked("overview", HOSPITAL, OPEN)


def outcome(reader: Reader, request: Asked = OVERVIEW) -> str:
    answer = reader.ask(request, ROLES)
    assert set(json.loads(answer.entry.body)) == set(reader.dashboards[request.dashboard].meta.panels)
    return answer.outcome


def question(reader: Reader, request: Asked = OVERVIEW) -> Question:
    return reader.question(request)


def key(reader: Reader, request: Asked = OVERVIEW) -> str:
    return cache_key(question(reader, request)).entry


def entries(admin: redis.Redis, dashboard: str = "overview") -> set[str]:
    names = admin.keys(f"insights:dev:{{{dashboard}}}:entry:*")
    return {name if isinstance(name, str) else name.decode() for name in names}


def aged(admin: redis.Redis, reader: Reader, seconds: float) -> None:
    """Make the entry older than it is, and keep it in Redis forever."""
    raw, text, seal_key = admin.get(key(reader)), question(reader).text, reader.seals.key()
    assert isinstance(raw, bytes) and seal_key
    entry = unpack(raw, text, seal_key)
    older = dataclasses.replace(entry, computed_at=entry.computed_at - seconds)
    admin.set(key(reader), pack(older, Lifetime(10**6, 10**6), seal_key))
