"""One thread of a process works on a key, and the others wait for what comes of it."""

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
    """Work by key, one thread at a time on each."""

    def __init__(self) -> None:
        """Nobody works on anything yet."""
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight[Result]] = {}

    def run(
        self, key: str, work: Callable[[], Result], instead: Callable[[], Result | None], patience: float
    ) -> tuple[Result, bool]:
        """What `work` returns, and whether another thread did it, whose error is raised here too.

        While another thread works on the key, `instead` may have something at once; None waits for that thread, at most
        `patience` seconds, after which this one does the work itself.
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
