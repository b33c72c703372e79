"""A warm-up of the cache against its statements and SETs, and a cached read against a plain GET."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import redis

from benchmarks.errors import BenchmarkError
from benchmarks.measure import Comparison, Measurement, client_only, in_turn
from benchmarks.questions import ROLES, VISIBILITIES, asked
from benchmarks.services import BUILT, Bench
from orchestration.dashboards.query import bound, statement
from orchestration.dashboards.question import Question, cache_key
from orchestration.dashboards.reader import Reader
from orchestration.dashboards.warm import BATCH, candidates, warm
from orchestration.warehouse.connection import connect
from orchestration.warehouse.names import Names

NAME = "cache"
ENTRIES = "insights:*:entry:*"
LIFETIME_MS = 900_000


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield the warm-up, then the cached read."""
    bench.copy(BUILT, NAME)
    bench.vacuum(NAME)
    url = bench.reader_url(NAME)
    with closing(Reader.open(bench.settings, url)) as reader, redis.Redis.from_url(bench.cache.url()) as client:
        client.config_set("maxmemory", "0")
        client.flushall()
        chosen = candidates(reader, bench.settings, list(reader.dashboards))
        reader.compute(chosen[0])  # opens the connections
        compared = Comparison(
            NAME, f"warm-up of {len(chosen):,} answers", bench.size, "statements, pipelined SETs", True
        )
        work, floor = partial(_warm, bench, reader, client), partial(_alone, bench, reader, client, chosen)
        yield in_turn(compared, bench.size.repeats, work, floor)

        _warm(bench, reader, client)
        readable = [question for question in chosen if {*question.visibilities} == {*VISIBILITIES}]
        names = [cache_key(question).entry for question in readable]
        texts = [asked(question) for question in readable]
        if any(reader.ask(text, ROLES).outcome != "hits" for text in texts):
            raise BenchmarkError(f"{NAME}: not every read after the warm-up is a hit.")
        compared = Comparison(NAME, "cached read", bench.size, "GET of the same key", True)
        reads = bench.size.reads // bench.size.repeats
        read = partial(_latencies, lambda number: reader.ask(texts[number % len(texts)], ROLES), reads)
        get = partial(_latencies, lambda number: client.get(names[number % len(names)]), reads)
        yield in_turn(compared, bench.size.repeats, read, get)
    bench.drop(NAME)


def _warm(bench: Bench, reader: Reader, client: redis.Redis) -> Measurement:
    """Empty the cache and warm what was never requested; `rows` are the stored answers."""
    client.flushall()
    with bench.measured(NAME, has_sessions=True) as found:
        report = warm(reader, bench.settings)
    if not report.is_whole:
        raise BenchmarkError(f"The warm-up is incomplete: {report}")
    found.rows = sum(warmed.computed for warmed in report.dashboards.values())
    return found


def _alone(bench: Bench, reader: Reader, client: redis.Redis, chosen: list[Question]) -> Measurement:
    """Run the statements of the questions on one connection, and set as many values of the mean size."""
    stored = [client.strlen(key) for key in client.scan_iter(ENTRIES)]
    size = round(statistics.mean(stored)) if stored else 1024
    names = Names.of(bench.settings)
    texts = {q.dashboard: statement(reader.dashboards[q.dashboard], "plain", names).text for q in chosen}
    milliseconds: dict[str, list[float]] = {name: [] for name in texts}
    with bench.measured(NAME, has_sessions=True) as found:
        with connect(bench.reader_url(NAME)) as connection:
            for question in chosen:
                values = bound(reader.dashboards[question.dashboard], question)
                started = time.perf_counter()
                connection.execute(texts[question.dashboard], values, prepare=False).fetchone()
                milliseconds[question.dashboard].append((time.perf_counter() - started) * 1000)
        value = b"x" * size
        for first in range(0, len(chosen), BATCH):
            pipeline = client.pipeline(transaction=False)
            for number in range(first, min(first + BATCH, len(chosen))):
                pipeline.set(f"floor:{number}", value, px=LIFETIME_MS)
            pipeline.execute()
    found.rows = len(chosen)
    for name, spent in milliseconds.items():
        found.figures[f"{name}, statement, median ms"] = statistics.median(spent)
        found.figures[f"{name}, statement, longest ms"] = max(spent)
    client.flushall()
    return found


def _latencies(call: Callable[[int], object], times: int) -> Measurement:
    """Call a function `times` times in a row."""
    spent = []
    with client_only() as found:
        for number in range(times):
            started = time.perf_counter_ns()
            call(number)
            spent.append((time.perf_counter_ns() - started) / 1000)
    cuts = statistics.quantiles(spent, n=100)
    found.rows = times
    found.figures = {"median us": cuts[49], "p95 us": cuts[94], "p99 us": cuts[98]}
    return found
