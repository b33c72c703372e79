"""Limits how many requests one caller makes, so that one page in a loop does not take the threads of all others."""

from __future__ import annotations

import threading
from collections import Counter
from time import monotonic

from orchestration.api.tokens import Caller
from orchestration.errors import InsightsError

WINDOW_SECONDS = 60


class TooManyRequestsError(InsightsError):
    """The caller has made more requests in this minute than `reports_api.requests_per_minute`."""

    fixed_by = "client"
    is_transient = True


class RequestLimit:
    """Counts the requests of each caller in the current minute. Safe to share between threads."""

    def __init__(self, most: int) -> None:
        """Allow `most` requests of a user of an organization in each minute of this process."""
        self._most = most
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, caller: Caller) -> None:
        """Count a request; raises TooManyRequestsError if it is one too many."""
        minute = int(monotonic() // WINDOW_SECONDS)
        with self._lock:
            if minute != self._minute:  # forgets the callers of the last minute too, so that their number is bounded
                self._minute = minute
                self._counts.clear()
            self._counts[caller.organization_id, caller.subject] += 1
            if self._counts[caller.organization_id, caller.subject] > self._most:
                raise TooManyRequestsError("There are too many requests of this caller.")


def seconds_left() -> int:
    """Return the seconds until the next minute of the limit begins, at least one."""
    return WINDOW_SECONDS - int(monotonic() % WINDOW_SECONDS)
