"""Counts requests by outcome: first in this process, then in Redis, where a metrics exporter reads them.

A cache hit costs no round trip for counting: counts are sent after an answer that was slow anyway, after every `BATCH`
answers, and when the process ends. While Redis is down, they stay in the process.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final

from orchestration.cache.keys import Group
from orchestration.cache.store import CacheRefusedError, CacheUnavailableError, Counts, Store

# Each request has one outcome, so that the outcomes add up to the number of requests.
HIT: Final = "hits"  # the others are in orchestration.cache.answers.Outcome
# Events that are counted in addition to the outcome.
IGNORED = "ignored_entries"  # corrupt or foreign, and replaced
REFUSED = "refused_writes"  # Redis was full or read-only
ERRORS = "cache_errors"  # Redis did not respond
FAILED = "failed_computations"
BATCH = 64
MAX_QUESTIONS_IN_PROCESS = 10_000  # of a group, while Redis is down


class Counters:
    """The counts of one process; safe to share between threads."""

    def __init__(self, store: Store | None) -> None:
        """Count into `store`; None keeps the counts in this process."""
        self._store = store
        self._lock = threading.Lock()
        self._outcomes: defaultdict[Group, Counter[str]] = defaultdict(Counter)
        self._asks: defaultdict[Group, Counter[str]] = defaultdict(Counter)
        self._bounds: dict[Group, int] = {}
        self._gathered = 0

    def count(self, group: Group, outcome: str) -> None:
        """Add one to a counter of a group."""
        with self._lock:
            self._outcomes[group][outcome] += 1

    def count_request(self, group: Group, question: str, outcome: str, max_asks: int) -> None:
        """Count a request by outcome and question; Redis keeps the `max_asks` most requested questions of a group."""
        if self.note(group, question, outcome, max_asks) >= BATCH or outcome != HIT:
            self.send()

    def note(self, group: Group, question: str, outcome: str, max_asks: int) -> int:
        """Count a request like `count_request` without sending anything; returns how many are to be sent."""
        with self._lock:
            self._outcomes[group][outcome] += 1
            asks = self._asks[group]
            if question in asks or len(asks) < MAX_QUESTIONS_IN_PROCESS:
                asks[question] += 1
            self._bounds[group] = max_asks
            self._gathered += 1
            return self._gathered

    def send(self) -> None:
        """Send the counts to Redis; those that it refuses stay in this process."""
        if self._store is None:
            return
        with self._lock:
            outcomes, self._outcomes = self._outcomes, defaultdict(Counter)
            asks, self._asks = self._asks, defaultdict(Counter)
            self._gathered = 0
        counts = [
            Counts(group, outcomes.get(group, {}), asks.get(group, {}), self._bounds.get(group, 1))
            for group in {*outcomes, *asks}
        ]
        try:
            failures = self._store.add_counts(counts, time.time()) if counts else []
        except (CacheUnavailableError, CacheRefusedError) as error:
            failures = [error] * len(counts)
        for count, failure in zip(counts, failures, strict=True):
            if failure:
                self._take_back(count)

    def waiting(self) -> Mapping[str, int]:
        """Return the counts that are not yet in Redis, by `<group>:<outcome>`."""
        with self._lock:
            return {f"{group.name}:{o}": n for group, counts in self._outcomes.items() for o, n in counts.items()}

    def _take_back(self, count: Counts) -> None:
        with self._lock:
            self._outcomes[count.group].update(count.outcomes)
            self._asks[count.group].update(count.asks)
