"""Answers that the process has just given: the same request gets them without a thread, Redis or the warehouse."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.api.answers import AGE, NOT_MODIFIED, OK, TIMING, Repeat, age, is_known, timing
from orchestration.api.limits import RequestLimit, TooManyRequestsError
from orchestration.api.observed import RECORD, Record
from orchestration.api.tokens import Authenticator, Caller, TokenError
from orchestration.cache.counters import HIT

MOST_BYTES = 16 * 2**20  # of all answers together
# What an answer depends on beside the caller, the path and the parameters.
VARIED = ("accept-encoding", "origin")
CHANGED = {AGE.lower().encode(), TIMING.lower().encode()}  # headers that are of the moment
OF_A_BODY = {b"content-length", b"content-encoding"}

Key = tuple[str, bytes, str, frozenset[str], tuple[str | None, ...]]


@dataclass(frozen=True)
class Kept:
    """An answer as it was sent, without the headers of the moment, and whose it is."""

    repeat: Repeat
    route: str | None
    organization_id: str | None
    tag: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Recent:
    """Fresh answers by request, all of them forgotten after some seconds. For the thread of the event loop alone."""

    def __init__(self, seconds: float) -> None:
        """Keep an answer for at most `seconds`; 0 keeps none."""
        self._seconds = seconds
        self._kept: dict[Key, Kept] = {}
        self._until = 0.0
        self._bytes = 0

    def get(self, key: Key) -> Kept | None:
        """Return the answer to a request if it was kept and still is fresh."""
        found = self._kept.get(key) if time.monotonic() < self._until else None
        return found if found and time.time() < found.repeat.until else None

    def keep(self, key: Key, kept: Kept) -> None:
        """Keep an answer, unless there is no room; the first after the time replaces all the others."""
        now = time.monotonic()
        if now >= self._until:
            self._kept, self._until, self._bytes = {}, now + self._seconds, 0
        size = len(kept.body) + len(key[1])
        if self._bytes + size <= MOST_BYTES:
            self._kept[key] = kept
            self._bytes += size


class Repeating:
    """ASGI middleware that gives recent answers again, to everybody for whom they are the same (decision D196)."""

    def __init__(self, app: ASGIApp, recent: Recent, authenticator: Authenticator, limit: RequestLimit) -> None:
        """Answer what `recent` knows; `app` answers everything else."""
        self._app, self._recent, self._authenticator, self._limit = app, recent, authenticator, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        begun, record, headers = time.monotonic(), scope[RECORD], Headers(scope=scope)
        caller = self._caller(headers)
        kept = caller and self._recent.get(_key(scope, headers, caller))
        if caller and kept and self._is_counted(caller):
            record.route, record.organization_id = kept.route, kept.organization_id
            record.subject, record.outcome = caller.subject, HIT
            kept.repeat.count()
            is_known_already = is_known(kept.tag, headers.get("if-none-match"))
            await _send(kept, is_known_already, time.monotonic() - begun, send)
            return
        sent: list[Message] = []

        async def sending(message: Message) -> None:
            sent.append(dict(message))
            await send(message)

        await self._app(scope, receive, sending)
        caller = self._caller(headers) if record.repeat else None
        if caller and record.repeat and sent[0]["status"] == OK:
            self._recent.keep(_key(scope, headers, caller), _kept(record, record.repeat, sent))

    def _caller(self, headers: Headers) -> Caller | None:
        try:
            return self._authenticator.known(headers)
        except TokenError:
            return None

    def _is_counted(self, caller: Caller) -> bool:
        try:
            self._limit.count(caller)
        except TooManyRequestsError:
            return False
        return True


def _key(scope: Scope, headers: Headers, caller: Caller) -> Key:
    varied = tuple(headers.get(name) for name in VARIED)
    return scope["path"], scope["query_string"], caller.organization_id, caller.roles, varied


def _kept(record: Record, repeat: Repeat, sent: Iterable[Message]) -> Kept:
    start, *bodies = sent
    headers = [header for header in start["headers"] if header[0].lower() not in CHANGED]
    body = b"".join(message.get("body", b"") for message in bodies)
    return Kept(repeat, record.route, record.organization_id, Headers(raw=headers)["etag"], headers, body)


async def _send(kept: Kept, is_known_already: bool, seconds: float, send: Send) -> None:
    moment = {AGE: age(kept.repeat.computed_at), TIMING: timing(seconds, HIT)}
    headers = [*kept.headers, *((name.lower().encode(), value.encode()) for name, value in moment.items())]
    if is_known_already:
        headers = [header for header in headers if header[0] not in OF_A_BODY]
        await send({"type": "http.response.start", "status": NOT_MODIFIED, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": OK, "headers": headers})
    await send({"type": "http.response.body", "body": kept.body})
