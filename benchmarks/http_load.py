"""Sends requests over a number of connections at a time, each as soon as the one before it is answered."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.errors import BenchmarkError

ANSWERED, UNAVAILABLE = 200, 503
CLIENT_SECONDS = 60


@dataclass(frozen=True)
class Ask:
    """One request: an address, which begins with a slash, and the token of who asks."""

    address: str
    token: str


@dataclass
class Load:
    """What came back: how often each status, the milliseconds of each answer of 200, and the seconds of all."""

    statuses: Counter[int] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def figures(self) -> dict[str, float]:
        """Return the rate, the waits of answered requests, and the share of those refused with 503."""
        cuts = statistics.quantiles(self.milliseconds, n=100) if len(self.milliseconds) > 1 else [0.0] * 99
        return {
            "answers per second": self.statuses[ANSWERED] / self.seconds,
            "p50 ms": cuts[49],
            "p95 ms": cuts[94],
            "p99 ms": cuts[98],
            "refused with 503, %": 100 * self.statuses[UNAVAILABLE] / self.statuses.total(),
        }


def send(port: int, asks: Sequence[Ask], connections: int) -> Load:
    """Send every request once; raises BenchmarkError for an answer that is neither 200 nor 503, and without one."""
    found, lock, errors = Load(), threading.Lock(), list[str]()
    left = iter(asks)

    def client() -> None:
        mine = Load()
        try:
            for ask, milliseconds, status in _answers(port, _taken(left, lock)):
                mine.statuses[status] += 1
                if status == ANSWERED:
                    mine.milliseconds.append(milliseconds)
                elif status != UNAVAILABLE:
                    raise BenchmarkError(f"{ask.address}: {status}")
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
        with lock:
            found.statuses.update(mine.statuses)
            found.milliseconds += mine.milliseconds

    threads = [threading.Thread(target=client) for _ in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.seconds = time.perf_counter() - started
    if errors:
        raise BenchmarkError("\n".join(sorted(set(errors))))
    return found


def body(port: int, ask: Ask) -> str:
    """Return the body of one answer; raises BenchmarkError if there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CLIENT_SECONDS)
    try:
        connection.request("GET", ask.address, headers={"Authorization": f"Bearer {ask.token}"})
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != ANSWERED:
        raise BenchmarkError(f"{ask.address}: {answer.status} {text}")
    return text


def _taken(left: Iterator[Ask], lock: threading.Lock) -> Iterable[Ask]:
    """Yield what no other connection has taken."""
    while True:
        with lock:
            ask = next(left, None)
        if ask is None:
            return
        yield ask


def _answers(port: int, asks: Iterable[Ask]) -> Iterator[tuple[Ask, float, int]]:
    """Send requests one after the other on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CLIENT_SECONDS)
    try:
        for ask in asks:
            started = time.perf_counter()
            connection.request("GET", ask.address, headers={"Authorization": f"Bearer {ask.token}"})
            answer = connection.getresponse()
            answer.read()
            yield ask, (time.perf_counter() - started) * 1000, answer.status
    finally:
        connection.close()
