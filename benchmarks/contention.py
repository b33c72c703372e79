"""A daily load alongside pg_dump, readers idle in transactions and dashboard clients, against the same load alone."""

from __future__ import annotations

import random
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.measure import Comparison, Measurement, in_turn
from benchmarks.questions import ROLES, asked, questions
from benchmarks.services import BUILT, Bench, ignored
from benchmarks.sizes import FIRST_DAY
from orchestration import dbt
from orchestration.dashboards.reader import Reader
from orchestration.warehouse.connection import connect
from workshop.services.binaries import postgres_programs

NAME = "contention"
READERS, CLIENTS = 4, 16
IDLE_SECONDS = 5.0  # a reader stays in its transaction this long after its query
THINKING_SECONDS = 0.1  # a client looks at each answer this long
QUESTIONS = 400  # different ones, which the clients ask at random
MARTS = ("dim_organizations", "fact_tasks", "dim_tasks", "report_task_volume")


@dataclass
class Party:
    """Threads that repeat one action; the seconds of each action, and the errors."""

    name: str
    action: Callable[[], None]
    threads: int
    pause: float = 0.0
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def run(self, stopped: threading.Event) -> None:
        """Repeat the action until `stopped` is set, at least once."""
        while True:
            started = time.perf_counter()
            try:
                self.action()
            except Exception as error:
                self.errors.append(f"{self.name}: {type(error).__name__}: {error}")
            self.seconds.append(time.perf_counter() - started)
            if stopped.wait(self.pause):
                return


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield the load alongside all parties; the floor's figures are of the parties without a load, for as long."""
    bench.copy(BUILT, NAME)
    bench.vacuum(NAME)
    days = (FIRST_DAY + timedelta(days=number) for number in count(1))
    with closing(Reader.open(bench.settings, bench.reader_url(NAME))) as reader:
        compared = Comparison(NAME, "daily load alongside others", bench.size, "the same load alone")
        together, alone = partial(_together, bench, reader), partial(_alone, bench, reader)
        yield in_turn(compared, bench.size.repeats, lambda: together(next(days)), lambda: alone(next(days)))
    bench.drop(NAME)


def _together(bench: Bench, reader: Reader, day: date) -> Measurement:
    company = _parties(bench, reader)
    bench.touch(NAME, day)
    with at_work(company):
        found = _load(bench, day)
    found.figures = _figures(company)
    return found


def _alone(bench: Bench, reader: Reader, day: date) -> Measurement:
    company = _parties(bench, reader)
    bench.touch(NAME, day)
    found = _load(bench, day)
    with at_work(company):
        time.sleep(1.0 if bench.size.is_smallest else found.wall)
    found.figures = _figures(company)
    return found


def _load(bench: Bench, day: date) -> Measurement:
    """Build everything, or some marts at the smallest size, as of a day.

    The parties' processor time, which is in the same processes, is part of it.
    """
    with bench.measured(NAME, has_sessions=True) as found:
        done = bench.dbt(NAME, ["build", *dbt.NO_TESTS, *bench.size.loaded], day)
    found.rows = sum(done.rows_written().values())
    return found


def _parties(bench: Bench, reader: Reader) -> list[Party]:
    """Return everyone who uses the warehouse during a load."""
    chosen = [asked(question) for question in questions(reader, QUESTIONS)]
    choice = random.Random(1)  # noqa: S311 - chooses questions
    idle = 0.5 if bench.size.is_smallest else IDLE_SECONDS
    return [
        Party("pg_dump", lambda: dump(bench.admin_url(NAME), bench.folder), 1),
        Party("idle reader", lambda: idle_reader(bench.reader_url(NAME), idle), READERS),
        Party(
            "dashboard client",
            lambda: ignored(reader.ask(choice.choice(chosen), ROLES)),
            CLIENTS,
            THINKING_SECONDS,
        ),
    ]


def dump(url: str, folder: Path) -> None:
    """Dump the schema of the marts, which holds a lock on each of them until it ends."""
    program = str(postgres_programs() / "pg_dump")
    command = [program, "--schema", "insights", "--format", "custom", "--file", str(folder / "dump"), url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(done.stderr)


def idle_reader(url: str, seconds: float) -> None:
    """Read each mart in one transaction and stay in it for a while, as a person at a psql prompt does."""
    with connect(url) as connection:
        for mart in MARTS:
            connection.execute(f"select count(*) from insights.{mart}".encode())  # noqa: S608 - names of this file
        time.sleep(seconds)


@contextmanager
def at_work(company: list[Party]) -> Iterator[None]:
    """Let the parties work while the block runs, and wait until their last actions have ended."""
    stopped = threading.Event()
    threads = [threading.Thread(target=p.run, args=[stopped]) for p in company for _ in range(p.threads)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _figures(company: list[Party]) -> dict[str, float]:
    """Return the waits of each party; raises BenchmarkError with every error that one had."""
    if errors := sorted({error for party in company for error in party.errors}):
        raise BenchmarkError("\n".join(errors))
    return {
        f"{party.name}, {name}": value
        for party in company
        for name, value in (
            ("actions", len(party.seconds)),
            ("median ms", statistics.median(party.seconds) * 1000),
            ("longest ms", max(party.seconds) * 1000),
        )
    }
