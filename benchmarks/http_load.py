"""Sends requests over a number of connections that stay open, and measures each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice

REQUEST = "GET {0.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {0.token}\r\n\r\n"
LENGTH = b"content-length:"


@dataclass(frozen=True)
class Target:
    """What is asked: a path with its query, and by whom."""

    path: str
    token: str


@dataclass
class Load:
    """The answers: status and milliseconds of each, and the bodies of a run with few requests."""

    answers: list[tuple[int, float]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def statuses(self) -> Counter[int]:
        """The number of answers of each status."""
        return Counter(status for status, _ in self.answers)


def load(port: int, targets: Sequence[Target], count: int, connections: int) -> Load:
    """Send `count` requests to the targets in turn; each connection sends the next one when it has an answer."""
    return asyncio.run(_load(port, targets, count, connections))


async def _load(port: int, targets: Sequence[Target], count: int, connections: int) -> Load:
    done = Load()
    left = islice(cycle(targets), count)
    await asyncio.gather(*(_connection(port, left, done, keeps=count == 1) for _ in range(connections)))
    return done


async def _connection(port: int, left: Iterator[Target], done: Load, *, keeps: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for target in left:
            started = time.perf_counter()
            writer.write(REQUEST.format(target).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            done.answers.append((int(head[9:12]), (time.perf_counter() - started) * 1000))
            if keeps:
                done.bodies.append(body)
    finally:
        writer.close()


def _length(head: bytes) -> int:
    place = head.lower().index(LENGTH) + len(LENGTH)
    return int(head[place : head.index(b"\r\n", place)])
