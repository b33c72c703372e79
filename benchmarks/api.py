"""Answers of the reporting service, cached and not, against a handler that returns the same bytes from memory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlencode

import jwt
import redis
import yaml

from benchmarks.errors import BenchmarkError
from benchmarks.http_load import ANSWERED, Ask, send
from benchmarks.measure import Comparison, Measurement, in_turn, tree_seconds
from benchmarks.questions import ROLES, questions
from benchmarks.services import BUILT, Bench
from benchmarks.startup import INSIGHTS
from orchestration.config.files import CONFIG_FILE, PROJECT
from orchestration.config.variables import CONFIG, TOKEN_SECRET
from orchestration.dashboards.question import Question
from orchestration.dashboards.reader import Reader

NAME = "api"
FLOOR = "the same bytes from memory"
CONNECTIONS = (16, 64)
SECRET = "a secret of the benchmarks, which is long enough"  # noqa: S105 - signs the tokens of a private service
WARM = 200  # different questions of the cached comparisons
UNCACHED_SHARE = 10  # one question that is computed for so many that are cached
START_SECONDS = 60


@dataclass(frozen=True)
class Served:
    """A process that serves, and its port."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def resident(self) -> float:
        """The memory of the process, in MiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield cached and computed answers, each over few and over many connections."""
    bench.copy(BUILT, NAME)
    bench.vacuum(NAME)
    with closing(Reader.open(bench.settings, bench.reader_url(NAME))) as reader:
        different = [ask_of(question) for question in questions(reader, max(WARM, bench.size.reads // UNCACHED_SHARE))]
    with redis.Redis.from_url(bench.cache.url()) as cache, service(bench) as served:
        cache.config_set("maxmemory", "0")
        cache.flushall()
        warm = different[:: max(1, len(different) // WARM)]
        bodies = {ask.address: send(served.port, [ask], 1).body.decode() for ask in warm}
        with memory_server(bench, bodies) as floor:
            for connections in CONNECTIONS:
                # Over many connections, a request may wait for longer than reports_api.busy_ms, and gets 503.
                is_same = connections == min(CONNECTIONS)
                compared = Comparison(NAME, f"cached, {connections} connections", bench.size, FLOOR, is_same)
                asks = list(islice(cycle(warm), bench.size.reads))
                sides = [partial(_sent, bench, server, asks, connections) for server in (served, floor)]
                yield in_turn(compared, bench.size.repeats, *sides)
            for connections in CONNECTIONS:
                compared = Comparison(NAME, f"computed, {connections} connections", bench.size, FLOOR)
                asks = list(islice(cycle(warm), len(different)))
                yield in_turn(
                    compared,
                    bench.size.repeats,
                    partial(_computed, bench, served, different, connections, cache),
                    partial(_sent, bench, floor, asks, connections),
                )
    bench.drop(NAME)


def ask_of(question: Question) -> Ask:
    """Return the request that asks a question, about all that the roles may see, for half a day."""
    claims = {
        "sub": "benchmark",
        "exp": int(time.time()) + 12 * 3600,
        "organizationId": question.organization_id,
        "roles": list(ROLES),
    }
    path = f"/v1/organizations/{question.organization_id}/dashboards/{question.dashboard}"
    given = {name: value for name, value in question.parameters if value is not None}
    texts = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in given.items()}
    return Ask(f"{path}?{urlencode(texts)}", jwt.encode(claims, SECRET, "HS256"))


def _computed(bench: Bench, served: Served, asks: Sequence[Ask], connections: int, cache: redis.Redis) -> Measurement:
    cache.flushall()
    return _sent(bench, served, asks, connections)


def _sent(bench: Bench, served: Served, asks: Sequence[Ask], connections: int) -> Measurement:
    """Send requests; `client` is the processor time of the process that serves, not of who asks."""
    before = tree_seconds(served.process.pid)
    with bench.measured(NAME, has_sessions=True) as found:
        load = send(served.port, asks, connections)
    found.client = tree_seconds(served.process.pid) - before
    found.rows = load.statuses[ANSWERED]
    found.figures = load.figures() | {"memory MiB": served.resident}
    return found


@contextmanager
def service(bench: Bench) -> Iterator[Served]:
    """Run `insights api` on a free port for a block, without a limit of requests."""
    port, path = _free_port(), bench.folder / "api.yaml"
    values = yaml.safe_load((PROJECT / CONFIG_FILE).read_text(encoding="utf-8"))
    values["insights"]["reports_api"] |= {"port": port, "requests_per_minute": 1_000_000_000}
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    own = {CONFIG: str(path), "INSIGHTS_WAREHOUSE_URL": bench.reader_url(NAME), TOKEN_SECRET: SECRET}
    with serving([INSIGHTS, "api"], port, bench.folder / "api.log", own) as served:
        yield served


@contextmanager
def memory_server(bench: Bench, bodies: dict[str, str]) -> Iterator[Served]:
    """Run the floor's server on a free port for a block."""
    port, path = _free_port(), bench.folder / "bodies.json"
    path.write_text(json.dumps(bodies), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.memory_server", str(port), str(path)]
    with serving(command, port, bench.folder / "memory.log", {}) as served:
        yield served


@contextmanager
def serving(command: list[str], port: int, log: Path, variables: dict[str, str]) -> Iterator[Served]:
    """Run a server for a block, as soon as it listens; raises BenchmarkError with its output if it never does."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=dict(os.environ) | variables)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(f"{command[0]} does not listen: {log.read_text(encoding='utf-8')}")
            time.sleep(0.05)
        yield Served(process, port)
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
