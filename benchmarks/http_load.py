"""Sends requests over connections that stay open, on each the next one as soon as the one before it is answered."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.errors import BenchmarkError

ANSWERED, UNAVAILABLE = 200, 503
REQUEST = "GET {0.address} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {0.token}\r\n\r\n"
LENGTH = b"content-length: "


@dataclass(frozen=True)
class Ask:
    """One request: an address, which begins with a slash, and the token of who asks."""

    address: str
    token: str


@dataclass
class Load:
    """What came back: how often each status, the milliseconds of each answer of 200, and the seconds of all.

    `body` is that of the last answer.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    body: bytes = b""

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
    """Send every request once; raises BenchmarkError for an answer that is neither 200 nor 503."""
    found = Load()
    started = time.perf_counter()
    asyncio.run(_send(port, iter(asks), connections, found))
    found.seconds = time.perf_counter() - started
    return found


async def _send(port: int, left: Iterator[Ask], connections: int, found: Load) -> None:
    await asyncio.gather(*(_connection(port, left, found) for _ in range(connections)))


async def _connection(port: int, left: Iterator[Ask], found: Load) -> None:
    """Send what no other connection has taken; the client is as cheap as can be, for it uses a core too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for ask in left:
            started = time.perf_counter()
            writer.write(REQUEST.format(ask).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            found.body = await reader.readexactly(_length(head))
            status = int(head[9:12])
            found.statuses[status] += 1
            if status == ANSWERED:
                found.milliseconds.append((time.perf_counter() - started) * 1000)
            elif status != UNAVAILABLE:
                raise BenchmarkError(f"{ask.address}: {status} {found.body.decode()}")
    finally:
        writer.close()


def _length(head: bytes) -> int:
    place = head.lower().index(LENGTH) + len(LENGTH)
    return int(head[place : head.index(b"\r\n", place)])
