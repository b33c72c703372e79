"""What is measured, and comparisons of work with its floor."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.sizes import Size

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Measurement:
    """One run of one side.

    Seconds: `wall`, and processor time of the client (this process and those that it started and that have ended) and
    of the database server. `buffers` are pages that the server read, from its cache or not. The measured block sets
    `rows`, what it wrote or read, and `figures`, anything else by name; None is unknown.
    """

    wall: float = 0.0
    client: float = 0.0
    server: float = 0.0
    buffers: int | None = None
    rows: int | None = None
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def processor(self) -> float:
        """Processor seconds of client and server."""
        return self.client + self.server

    def divided_by(self, times: int) -> Measurement:
        """Return what one of as many equal repetitions cost; `rows` are those of one already."""
        buffers = None if self.buffers is None else self.buffers // times
        return replace(
            self, wall=self.wall / times, client=self.client / times, server=self.server / times, buffers=buffers
        )


@dataclass
class Comparison:
    """Runs of a piece of work, and of its floor if it has one.

    If `is_same`, the floor computes the same rows, and the benchmark has compared them; otherwise it does a part.
    `numbers` is how many tasks, cases or keys the work has before it.
    """

    benchmark: str
    title: str
    size: Size
    floor_name: str = ""
    is_same: bool = False
    work: list[Measurement] = field(default_factory=list)
    floor: list[Measurement] = field(default_factory=list)

    def ratio(self, value: Callable[[Measurement], float]) -> float | None:
        """Return the median of the work divided by that of the floor; None without a floor or for less than 10 ms."""
        if not self.floor:
            return None
        floor = statistics.median(map(value, self.floor))
        return statistics.median(map(value, self.work)) / floor if floor >= 0.01 else None  # noqa: PLR2004 - a clock's tick


Side = Callable[[], Measurement]


def in_turn(compared: Comparison, repeats: int, work: Side, floor: Side) -> Comparison:
    """Run both sides `repeats` times, in alternating order; raises BenchmarkError, which says which side failed."""
    for _ in range(repeats):
        once(compared, work, floor)
    return compared


def once(compared: Comparison, work: Side, floor: Side) -> Comparison:
    """Run both sides once, in the reverse order of the previous time. Raises like `in_turn`."""
    sides = [("work", work, compared.work), ("floor", floor, compared.floor)]
    for name, side, runs in sides[:: 1 if len(compared.work) % 2 else -1]:
        with failing(compared, name):
            runs.append(side())
    if compared.is_same and compared.work[-1].rows != compared.floor[-1].rows:
        raise BenchmarkError(
            f"{compared.benchmark}, {compared.title}: the work has {compared.work[-1].rows} rows, the floor"
            f" ({compared.floor_name}) {compared.floor[-1].rows}."
        )
    return compared


@contextmanager
def failing(compared: Comparison, side: str) -> Iterator[None]:
    """Turn any exception of the block into BenchmarkError, with the names of the benchmark and the side."""
    try:
        yield
    except Exception as error:
        message = getattr(error, "message", "") or f"{type(error).__name__}: {error}"
        raise BenchmarkError(f"{compared.benchmark}, {compared.title}: the {side} failed: {message}") from error


def client_seconds() -> float:
    """Return the processor seconds of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def tree_seconds(root: int) -> float:
    """Return the processor seconds of a process, its children, and those of its children that have ended."""
    return sum(_seconds(process, is_root=process == root) for process in (root, *children(root)))


def children(parent: int) -> list[int]:
    """Return the ids of the children of a process."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    return [int(number) for number in listed.split()]


def _seconds(process: int, *, is_root: bool) -> float:
    """Return user and system time; for the root also those of its ended children."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:  # it has ended; its time is that of the root's ended children
        return 0.0
    fields = text.rsplit(")", 1)[1].split()
    return sum(int(ticks) for ticks in fields[11 : 15 if is_root else 13]) / TICKS


@contextmanager
def client_only() -> Iterator[Measurement]:
    """Measure a block that uses no database."""
    found = Measurement()
    started, client = time.perf_counter(), client_seconds()
    yield found
    found.wall, found.client = time.perf_counter() - started, client_seconds() - client
