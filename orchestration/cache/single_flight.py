"""Lets one thread of a process work on a key while the others wait for its result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class _Flight(Generic[Result]):
    def __init__(self) -> None:
        self.is_over = threading.Event()
        self.result: Result | None = None
        self.error: BaseException | None = None


class SingleFlight(Generic[Result]):
    """Runs work by key, one thread at a time for each key."""

    def __init__(self) -> None:
        """Begin without any work in progress."""
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight[Result]] = {}

    def run(
        self, key: str, work: Callable[[], Result], instead: Callable[[], Result | None], patience: float
    ) -> tuple[Result, bool]:
        """Return the result of `work`, and whether another thread has computed it; an error of it is raised here too.

        While another thread works on the key, a result of `instead` is returned at once. If that is None, this thread
        waits at most `patience` seconds for the other one, and then does the work itself.
        """
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if leads:
            return self._lead(key, flight, work), False
        other = instead()
        if other is not None:
            return other, False
        if not flight.is_over.wait(patience):
            return work(), False
        if flight.error is not None:
            raise flight.error
        if flight.result is None:
            return work(), False
        return flight.result, True

    def _lead(self, key: str, flight: _Flight[Result], work: Callable[[], Result]) -> Result:
        try:
            flight.result = work()
        except Exception as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._flights[key]
            flight.is_over.set()
        return flight.result
