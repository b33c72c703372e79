"""Answers a question from the cache, or computes it once for everybody who asks it at the same time.

A fresh entry is the answer. A stale one (too old, or of an older load) is the answer of everybody but one, who computes
it anew. Without one, one asker computes, under a lease in Redis, and the others wait for that entry. The lease ends by
itself, so a computer that was killed holds nobody up for longer; nobody waits more than twice the time that a
computation may take, and then computes alone. Where Redis cannot be asked, each process computes the answer once at a
time.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from orchestration.cache import counters
from orchestration.cache.counters import Counters
from orchestration.cache.entries import Entry, Lifetime, UnusableEntryError, pack, unpack
from orchestration.cache.keys import Key
from orchestration.cache.single_flight import SingleFlight
from orchestration.cache.store import CacheRefusedError, CacheUnavailableError, Store, Write

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.1  # seconds between two looks for the entry of another computer

Outcome = Literal["hits", "stale", "waited", "misses", "bypassed"]
Compute = Callable[[], Entry]


@dataclass(frozen=True)
class Request:
    """A question as its one text, where its entry lies, for how long it is good, and how many its group keeps."""

    key: Key
    question: str
    lifetime: Lifetime
    max_keys: int


@dataclass(frozen=True)
class Answer:
    """An entry, and what it came of: see `orchestration.cache.counters`. `is_stale`: too old, or of an older load."""

    entry: Entry
    outcome: Outcome
    is_stale: bool = False


@dataclass(frozen=True)
class _Look:
    answer: Answer | None  # fresh or stale, never beyond its hard limit
    is_cached: bool  # whether Redis answered at all


class Answers:
    """The cache as its readers see it. Safe to share between threads."""

    def __init__(self, store: Store | None, compute_seconds: float) -> None:
        """Answer from `store`; without one everything is computed."""
        self._store = store
        self._compute_seconds = compute_seconds
        self._flights: SingleFlight[Answer] = SingleFlight()
        self.counters = Counters(store)

    def get(self, request: Request, compute: Compute) -> Answer:
        """The answer to a question; raises what `compute` raises when there is nothing to answer with instead."""
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
        self.counters.count_ask(request.key.group, request.question, answer.outcome, request.max_keys)
        return answer

    def peek(self, request: Request) -> Answer | None:
        """What a reader would be answered from the cache just now; None when he would have to wait or compute."""
        return self._look(request).answer

    def keep(self, requests: list[tuple[Request, Entry]], *, is_asked: bool = False) -> list[str | None]:
        """Keep entries, all in one round trip; returns for each why it was not kept, None where it was."""
        if self._store is None:
            return ["there is no cache"] * len(requests)
        writes = [
            Write(r.key, pack(entry, r.lifetime), entry.load, r.lifetime.hard, r.max_keys, is_asked)
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
        if self._store is None:
            return _Look(None, is_cached=False)
        now = time.time()
        try:
            found = self._store.read(request.key, now)
        except CacheUnavailableError:
            self.counters.count(request.key.group, counters.ERRORS)
            return _Look(None, is_cached=False)
        except CacheRefusedError:  # something else lies under the key; a new entry replaces it
            self.counters.count(request.key.group, counters.IGNORED)
            return _Look(None, is_cached=True)
        if found.raw is None:
            return _Look(None, is_cached=True)
        try:
            return _Look(_judged(request.lifetime, unpack(found.raw, request.question), found.known_load, now), True)
        except UnusableEntryError:
            self.counters.count(request.key.group, counters.IGNORED)
            return _Look(None, is_cached=True)

    def _lead(self, request: Request, look: _Look, compute: Compute) -> Answer:
        """Compute under the lease; while another process has it, its entry or the stale one is the answer."""
        token, pause = secrets.token_hex(16), FIRST_PAUSE
        deadline = time.monotonic() + 2 * self._compute_seconds  # beyond the lease of one that was killed
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
            look = self._look(request)  # whoever had the lease before us may have left what we want
            if look.answer and not look.answer.is_stale:
                return replace(look.answer, outcome="waited")
            return self._compute(request, look, compute)
        finally:
            try:
                store.release_lease(request.key, token)
            except (CacheUnavailableError, CacheRefusedError):
                self.counters.count(request.key.group, counters.ERRORS)

    def _compute(self, request: Request, look: _Look, compute: Compute) -> Answer:
        """Compute and keep; what is stale, but readable even now, is better than an error."""
        try:
            entry = compute()
        except Exception as error:
            self.counters.count(request.key.group, counters.FAILED)
            if look.answer is None or look.answer.entry.age(time.time()) >= request.lifetime.hard:
                raise
            logger.warning("A stale answer is given for %s, because computing failed: %s", request.question, error)
            return look.answer
        if look.is_cached:
            self.keep([(request, entry)], is_asked=True)
        return Answer(entry, "misses" if look.is_cached else "bypassed")


def _judged(lifetime: Lifetime, entry: Entry, known_load: int | None, now: float) -> Answer | None:
    """The entry as an answer, fresh or stale; None beyond its hard limit, or when stale answers are not wanted."""
    age = entry.age(now)
    is_stale = age >= lifetime.fresh or entry.load < (known_load or 0)
    if age >= lifetime.hard or (is_stale and not lifetime.stale):
        return None
    return Answer(entry, "stale" if is_stale else "hits", is_stale)
