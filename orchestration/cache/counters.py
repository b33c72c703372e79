"""Counts what came of asking: at first in this process, then in Redis, where a metrics exporter reads it.

Counting costs no round trip of its own while answers come from the cache: what has gathered is sent after an answer
that was slow anyway, after every `BATCH` answers, and when the process is done. While Redis is down it stays here.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping

from orchestration.cache.keys import Group
from orchestration.cache.store import CacheRefusedError, CacheUnavailableError, Counts, Store

# What came of a question, one each: the sum is how often was asked.
HIT = "hits"  # the others are in orchestration.cache.answers.Outcome
# What happened beside that.
IGNORED = "ignored_entries"  # corrupt or foreign, and replaced
REFUSED = "refused_writes"  # a full or read-only Redis
ERRORS = "cache_errors"  # Redis could not be asked
FAILED = "failed_computations"
BATCH = 64
MOST_ASKS_HERE = 10_000  # of a group, kept in this process while Redis is down


class Counters:
    """The counts of one process; safe to share between threads."""

    def __init__(self, store: Store | None) -> None:
        """Count into `store`; None keeps the counts here."""
        self._store = store
        self._lock = threading.Lock()
        self._outcomes: defaultdict[Group, Counter[str]] = defaultdict(Counter)
        self._asks: defaultdict[Group, Counter[str]] = defaultdict(Counter)
        self._bounds: dict[Group, int] = {}
        self._gathered = 0

    def count(self, group: Group, outcome: str) -> None:
        """One more of something."""
        with self._lock:
            self._outcomes[group][outcome] += 1

    def count_ask(self, group: Group, question: str, outcome: str, max_asks: int) -> None:
        """A question was answered so; of `max_asks` questions of its group it is kept how often each was asked."""
        with self._lock:
            self._outcomes[group][outcome] += 1
            asks = self._asks[group]
            if question in asks or len(asks) < MOST_ASKS_HERE:
                asks[question] += 1
            self._bounds[group] = max_asks
            self._gathered += 1
            is_due = outcome != HIT or self._gathered >= BATCH
        if is_due:
            self.send()

    def send(self) -> None:
        """Send to Redis what has gathered; what it does not take stays here."""
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
        """What Redis has not been told yet, `<group>:<outcome>`."""
        with self._lock:
            return {f"{group.name}:{o}": n for group, counts in self._outcomes.items() for o, n in counts.items()}

    def _take_back(self, count: Counts) -> None:
        with self._lock:
            self._outcomes[count.group].update(count.outcomes)
            self._asks[count.group].update(count.asks)
