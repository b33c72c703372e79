"""The answers that a process has just given: what many ask at once costs neither a thread nor a call of Redis."""

from __future__ import annotations

import time

from orchestration.api.answers import Answered
from orchestration.dashboards.question import Question

MOST_BYTES = 16 * 2**20  # of all answers together


class Recent:
    """Fresh answers by question, all of them forgotten after some seconds. Safe to share between threads."""

    def __init__(self, seconds: float) -> None:
        """Keep an answer for at most `seconds`; 0 keeps none."""
        self._seconds = seconds
        self._kept: dict[Question, Answered] = {}
        self._until = 0.0
        self._bytes = 0

    def get(self, question: Question) -> Answered | None:
        """Return the answer to a question if it was kept and still is fresh."""
        found = self._kept.get(question) if time.monotonic() < self._until else None
        return found if found and found.answer.entry.age(time.time()) < found.fresh_seconds else None

    def keep(self, answered: Answered) -> None:
        """Keep an answer, unless it is stale or there is no room; the first after the time replaces all the others."""
        now = time.monotonic()
        if now >= self._until:
            self._kept, self._until, self._bytes = {}, now + self._seconds, 0
        size = len(answered.answer.entry.body)
        if self._bytes + size <= MOST_BYTES and not answered.answer.is_stale:
            self._kept[answered.question] = answered
            self._bytes += size
