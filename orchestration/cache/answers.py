"""Answers a question from the cache, or computes the answer once for all concurrent clients.

A fresh entry is returned at once. If the entry is stale (too old, or of an older load), one client recomputes it and
the others get the stale entry. If there is no entry, one client computes it under a lease in Redis and the others wait.
The lease expires, so that a killed process blocks the others only until then. A client waits for at most twice the time
limit of a computation, and then computes the answer itself. Without Redis, each process computes an answer once at a
time.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from orchestration.cache import counters
from orchestration.cache.counters import Counters
from orchestration.cache.entries import Entry, Lifetime, UnusableEntryError, pack, unpack
from orchestration.cache.keys import Group, Key
from orchestration.cache.seals import Seals, opened_load, sealed_load
from orchestration.cache.single_flight import SingleFlight
from orchestration.cache.store import CacheRefusedError, CacheUnavailableError, Store, Write

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.1  # seconds between two polls for the entry of another process

Outcome = Literal["hits", "stale", "waited", "misses", "bypassed"]
Compute = Callable[[], Entry]


@dataclass(frozen=True)
class Request:
    """A question in canonical text, the key and lifetime of its entry, and the maximum number of keys of its group."""

    key: Key
    question: str
    lifetime: Lifetime
    max_keys: int


@dataclass(frozen=True)
class Answer:
    """An entry and how it was obtained (`orchestration.cache.counters`); `is_stale` if too old or of an older load."""

    entry: Entry
    outcome: Outcome
    is_stale: bool = False


@dataclass(frozen=True)
class _Look:
    answer: Answer | None  # fresh or stale, never older than its hard limit
    is_cached: bool  # whether Redis responded


class Answers:
    """The cache as its clients see it. Safe to share between threads."""

    def __init__(self, store: Store | None, seals: Seals, compute_seconds: float) -> None:
        """Answer from `store`, or compute everything if it is None; one computation may take `compute_seconds`.

        Entries are written and believed with the key of `seals` only; while it has none, everything is computed.
        """
        self._store = store
        self._seals = seals
        self._compute_seconds = compute_seconds
        self._flights: SingleFlight[Answer] = SingleFlight()
        self.counters = Counters(store)

    def get(self, request: Request, compute: Compute) -> Answer:
        """Return the answer to a question; raises what `compute` raises if there is no stale entry to fall back on."""
        look = self._look(request)
        answer = look.answer
        if answer is None or answer.is_stale:
            answer, was_shared = self._flights.run(
                request.key.entry,
                lambda: self._lead(request, look, compute),
                lambda: look.answer,
                3 * self._compute_seconds,
            )
            if was_shared:
                answer = replace(answer, outcome="waited")
        self.counters.count_request(request.key.group, request.question, answer.outcome, request.max_keys)
        return answer

    def peek(self, request: Request) -> Answer | None:
        """Return what a client would get from the cache now; None if it would have to wait or compute."""
        return self._look(request).answer

    def keep(self, requests: list[tuple[Request, Entry]], *, is_requested: bool = False) -> list[str | None]:
        """Store entries in one round trip; returns the reason for each that was not stored, None for each that was.

        `is_requested` tells that a client has just requested them, which counts against their eviction.
        """
        if self._store is None:
            return ["there is no cache"] * len(requests)
        seal_key = self._seals.key()
        if seal_key is None:
            return ["the key of the cache cannot be read"] * len(requests)
        writes = [
            Write(
                r.key,
                pack(entry, r.lifetime, seal_key),
                sealed_load(seal_key, r.key.group, entry.load),
                r.lifetime.hard,
                r.max_keys,
                is_requested,
            )
            for r, entry in requests
        ]
        try:
            refusals = self._store.write(writes, time.time()) if writes else []
        except (CacheUnavailableError, CacheRefusedError) as error:
            refusals = [CacheRefusedError(str(error))] * len(writes)
        for (request, _), refusal in zip(requests, refusals, strict=True):
            if refusal:
                self.counters.count(request.key.group, counters.REFUSED)
        return [str(refusal) if refusal else None for refusal in refusals]

    def _look(self, request: Request) -> _Look:
        seal_key = self._seals.key() if self._store else None
        if self._store is None or seal_key is None:
            return _Look(None, is_cached=False)
        now = time.time()
        try:
            found = self._store.read(request.key, now)
        except CacheUnavailableError:
            self.counters.count(request.key.group, counters.ERRORS)
            return _Look(None, is_cached=False)
        except CacheRefusedError:  # the key holds another type; a new entry replaces it
            self.counters.count(request.key.group, counters.IGNORED)
            return _Look(None, is_cached=True)
        known_load = self._known_load(self._store, request.key.group, found.load, seal_key)
        if found.raw is None:
            return _Look(None, is_cached=True)
        try:
            entry = unpack(found.raw, request.question, seal_key)
            return _Look(_judged(request.lifetime, entry, known_load, now), is_cached=True)
        except UnusableEntryError:
            self.counters.count(request.key.group, counters.IGNORED)
            return _Look(None, is_cached=True)

    def _known_load(self, store: Store, group: Group, raw: bytes | None, seal_key: bytes) -> int | None:
        """Return the newest load of a group; removes one that no process with the key has written."""
        load = None if raw is None else opened_load(seal_key, group, raw)
        if raw is not None and load is None:
            self.counters.count(group, counters.IGNORED)
            with suppress(CacheUnavailableError, CacheRefusedError):
                store.forget_load(group, raw)
        return load

    def _lead(self, request: Request, look: _Look, compute: Compute) -> Answer:
        """Compute under the lease; while another process has it, return the stale entry or wait for the new one."""
        token, pause = secrets.token_hex(16), FIRST_PAUSE
        deadline = time.monotonic() + 2 * self._compute_seconds  # outlasts the lease of a killed process
        while self._store and look.is_cached and time.monotonic() < deadline:
            try:
                if self._store.take_lease(request.key, token, self._compute_seconds):
                    return self._compute_with_lease(self._store, request, token, compute)
            except CacheRefusedError:
                break
            except CacheUnavailableError:
                self.counters.count(request.key.group, counters.ERRORS)
                look = replace(look, is_cached=False)
                break
            if look.answer:
                return look.answer
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            look = self._look(request)
            if look.answer:
                return replace(look.answer, outcome="stale" if look.answer.is_stale else "waited")
        return self._compute(request, look, compute)

    def _compute_with_lease(self, store: Store, request: Request, token: str, compute: Compute) -> Answer:
        try:
            look = self._look(request)  # the previous holder of the lease may have stored the entry
            if look.answer and not look.answer.is_stale:
                return replace(look.answer, outcome="waited")
            return self._compute(request, look, compute)
        finally:
            try:
                store.release_lease(request.key, token)
            except (CacheUnavailableError, CacheRefusedError):
                self.counters.count(request.key.group, counters.ERRORS)

    def _compute(self, request: Request, look: _Look, compute: Compute) -> Answer:
        """Compute and store the entry; if that fails, return a stale entry that is still readable."""
        try:
            entry = compute()
        except Exception as error:
            self.counters.count(request.key.group, counters.FAILED)
            if look.answer is None or look.answer.entry.age(time.time()) >= request.lifetime.hard:
                raise
            logger.warning("Returning a stale answer for %s: its computation failed: %s", request.question, error)
            return look.answer
        if look.is_cached:
            self.keep([(request, entry)], is_requested=True)
        return Answer(entry, "misses" if look.is_cached else "bypassed")


def _judged(lifetime: Lifetime, entry: Entry, known_load: int | None, now: float) -> Answer | None:
    """Return the entry as a fresh or stale answer; None if it is too old, or stale and its lifetime allows no stale."""
    age = entry.age(now)
    is_stale = age >= lifetime.fresh or entry.load < (known_load or 0)
    if age >= lifetime.hard or (is_stale and not lifetime.stale):
        return None
    return Answer(entry, "stale" if is_stale else "hits", is_stale)
