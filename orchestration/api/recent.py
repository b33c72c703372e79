"""The answers that a process has just given: what many ask at once costs neither a thread nor a call of Redis."""

from __future__ import annotations

import time

from orchestration.api.answers import Answered
from orchestration.dashboards.question import Question

MOST_ANSWERS, MOST_BYTES = 1024, 16_384  # how many are kept, and how long the body of one may be


class Recent:
    """Fresh answers by question, all of them forgotten after some seconds. Safe to share between threads."""

    def __init__(self, seconds: float) -> None:
        """Keep an answer for at most `seconds`; 0 keeps none."""
        self._seconds = seconds
        self._kept: dict[Question, Answered] = {}
        self._until = 0.0

    def get(self, question: Question) -> Answered | None:
        """Return the answer to a question if it was kept and still is fresh."""
        found = self._kept.get(question) if time.monotonic() < self._until else None
        return found if found and found.answer.entry.age(time.time()) < found.fresh_seconds else None

    def keep(self, answered: Answered) -> None:
        """Keep an answer, unless it is stale or large; the first after the time is over replaces all the others."""
        now = time.monotonic()
        if now >= self._until:
            self._kept, self._until = {}, now + self._seconds
        is_small = len(self._kept) < MOST_ANSWERS and len(answered.answer.entry.body) <= MOST_BYTES
        if is_small and not answered.answer.is_stale:
            self._kept[answered.question] = answered
