"""Answers of the reporting service over 16 and 64 connections, against a handler with the same bytes in memory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import jwt
import redis

from benchmarks.errors import BenchmarkError
from benchmarks.http_load import Load, Target, load
from benchmarks.measure import Comparison, Measurement, in_turn, tree_seconds
from benchmarks.questions import ROLES, questions
from benchmarks.services import BUILT, Bench
from orchestration.config.files import PROJECT
from orchestration.config.variables import TOKEN_SECRET
from orchestration.dashboards.question import Question
from orchestration.dashboards.reader import Reader

NAME = "api"
SECRET = "a secret of the benchmarks, long enough: 9f86d081884c"  # noqa: S105 - of private servers
CONNECTIONS = (16, 64)
KEYS = 400  # different questions whose answers are cached
COMPUTED_SHARE = 10  # one request in so many, because a computed answer takes longer
START_SECONDS = 60
OK, BUSY = 200, 503
TOKEN_SECONDS = 24 * 3600


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield cached and computed answers, each with both numbers of connections."""
    bench.copy(BUILT, NAME)
    bench.vacuum(NAME)
    requests = bench.size.reads // bench.size.repeats
    with closing(Reader.open(bench.settings, bench.reader_url(NAME))) as reader:
        cached = [_target(one) for one in questions(reader, KEYS)]
        # Each is asked once, so that its answer is in no cache.
        fresh = [_target(one) for one in questions(reader, max(len(CONNECTIONS), requests // COMPUTED_SHARE))]
    os.environ[TOKEN_SECRET] = SECRET
    os.environ["INSIGHTS_WAREHOUSE_URL"] = bench.reader_url(NAME)
    with _serving("service") as service:
        bodies = {target.path: load(service.port, [target], 1, 1).bodies[0].decode() for target in {*cached, *fresh}}
        file = bench.folder / "answers.json"
        file.write_text(json.dumps(bodies), "utf-8")
        with _serving("floor", file) as floor:
            for title, targets, count in (("cached", cached, requests), ("computed", fresh, len(fresh))):
                for connections in CONNECTIONS:
                    compared = Comparison(NAME, f"{title}, {connections} connections", bench.size, "bytes from memory")
                    ask = partial(_ask, bench, targets=targets, count=count, connections=connections)
                    work = partial(ask, service, is_cached=title == "cached")
                    yield in_turn(compared, bench.size.repeats, work, partial(ask, floor, is_cached=True))
    bench.drop(NAME)


class _Server:
    """A process that listens on a port."""

    def __init__(self, kind: str, process: subprocess.Popen[bytes], port: int) -> None:
        self.kind, self.process, self.port = kind, process, port

    def megabytes(self) -> float:
        """Return the memory of the process."""
        text = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        return int(text.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def _serving(kind: str, file: Path | None = None) -> Iterator[_Server]:
    """Start a server in a process of its own, and end it after the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "benchmarks.api_server", kind, str(port), *([str(file)] if file else [])]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _wait(process, port)
            yield _Server(kind, process, port)
        finally:
            process.terminate()
            process.communicate()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    process.kill()
    _, said = process.communicate()
    raise BenchmarkError(f"A server of {NAME} does not listen: {said.decode()[-2000:]}")


def _target(question: Question) -> Target:
    now = int(time.time())
    claims = {"sub": "benchmark", "iat": now, "exp": now + TOKEN_SECONDS, "roles": [*ROLES]}
    token = jwt.encode(claims | {"organizationId": question.organization_id}, SECRET, "HS256")
    given = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in question.parameters}
    query = urlencode({name: value for name, value in given.items() if value is not None})
    return Target(f"/v1/organizations/{question.organization_id}/dashboards/{question.dashboard}?{query}", token)


def _ask(  # noqa: PLR0913 -- a run has this many properties
    bench: Bench, server: _Server, *, targets: Sequence[Target], count: int, connections: int, is_cached: bool
) -> Measurement:
    """Send `count` requests over some connections; `rows` are those that were answered, not refused with 503."""
    with redis.Redis.from_url(bench.cache.url()) as client:
        client.flushall()
    if is_cached:
        load(server.port, targets, len(targets), 1)
    before = tree_seconds(server.process.pid)
    with bench.measured(NAME, has_sessions=True) as found:
        done = load(server.port, targets, count, connections)
    if wrong := set(done.statuses) - {OK, BUSY}:
        raise BenchmarkError(f"{NAME}: the {server.kind} answered {', '.join(map(str, sorted(wrong)))}.")
    found.rows = done.statuses[OK]
    found.figures = _figures(done, found.wall)
    found.figures["processor ms of a request"] = (tree_seconds(server.process.pid) - before) * 1000 / count
    found.figures["memory MB"] = server.megabytes()
    return found


def _figures(done: Load, wall: float) -> dict[str, float]:
    answered = sorted(spent for status, spent in done.answers if status == OK)
    if not answered:
        raise BenchmarkError(f"{NAME}: no request was answered.")
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    figures = {
        f"{name} ms": answered[min(len(answered) - 1, int(share * len(answered)))] for name, share in shares.items()
    }
    return {
        "answers per s": len(answered) / wall,
        **figures,
        "refused, percent": 100 * done.statuses[BUSY] / len(done.answers),
    }
