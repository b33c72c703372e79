"""Time a daily load with and without company: pg_dump, readers idle in transactions, and dashboard clients.

Starts a private PostgreSQL with a generated database and a private Redis in a temporary folder, prints two Markdown
tables and removes everything afterwards. Ends with an error if anybody got one. README.md explains the comparison.
"""

import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import click
import generate
from cache import ROLES, questions

from orchestration import dbt
from orchestration.config.files import Settings, load_settings
from orchestration.dashboards.question import Asked
from orchestration.dashboards.reader import Reader
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services import LocalPostgres, LocalRedis, remove_state, state_root
from workshop.services.binaries import postgres_programs

FIRST_DAY = date(2026, 1, 1)
READERS, CLIENTS = 4, 16
IDLE_SECONDS = 5.0  # a reader stays in its transaction this long after its query
THINKING_SECONDS = 0.1  # a client looks at each answer this long
MARTS = ("dim_organizations", "fact_tasks", "dim_tasks", "report_task_volume")


@dataclass
class Party:
    """Threads that repeat one action; the seconds of each, and the errors."""

    name: str
    action: Callable[[], None]
    threads: int
    pause: float = 0.0
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def run(self, stopped: threading.Event) -> None:
        """Repeat the action until `stopped` is set."""
        while not stopped.is_set():
            started = time.perf_counter()
            try:
                self.action()
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")
            self.seconds.append(time.perf_counter() - started)
            stopped.wait(self.pause)


def idle_reader(url: str) -> None:
    """Read each mart in one transaction and stay in it for a while, as a person at a psql prompt does."""
    with connect(url) as connection:
        for mart in MARTS:
            connection.execute(f"select count(*) from insights.{mart}".encode())  # noqa: S608 -- names of this file
        time.sleep(IDLE_SECONDS)


def dump(url: str, folder: Path) -> None:
    """Dump the schema of the marts, which holds a lock on each of them until it ends."""
    program = str(postgres_programs() / "pg_dump")
    command = [program, "--schema", "insights", "--format", "custom", "--file", str(folder / "dump"), url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(done.stderr)


def parties(reader: Reader, server: LocalPostgres, settings: Settings, folder: Path) -> list[Party]:
    """Return everybody who uses the warehouse during a load."""
    read_url = server.url("contention", settings.insights.warehouse.read_only_user)
    asked = [
        Asked(q.dashboard, q.organization_id, q.visibilities, parameters=dict(q.parameters))
        for q in questions(reader, 400)
    ]
    chosen = random.Random(1)  # noqa: S311 -- chooses questions
    return [
        Party("pg_dump", lambda: dump(server.url("contention", "postgres"), folder), 1),
        Party(f"reader, {IDLE_SECONDS:.0f} s idle in its transaction", lambda: idle_reader(read_url), READERS),
        Party("dashboard client", lambda: void(reader.ask(chosen.choice(asked), ROLES)), CLIENTS, THINKING_SECONDS),
    ]


def void(_: object) -> None:
    """Discard a value."""


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


def load(server: LocalPostgres, settings: Settings, as_of: date) -> float:
    """Build and test everything as of a day; returns the seconds. Raises ClickException if dbt fails."""
    url = server.url("contention", settings.insights.warehouse.write_user)
    started = time.perf_counter()
    if dbt.build(settings, ["--quiet"], url=url, variables=dbt.as_of_variable(as_of)).exit_code:
        raise click.ClickException("dbt failed; its messages are above.")
    return time.perf_counter() - started


def touch(server: LocalPostgres, as_of: date) -> None:
    """Change 0.1 % of the tasks on the day before `as_of`."""
    with connect(server.url("contention", "postgres"), autocommit=True) as connection:
        generate.touch(connection, 0.001, as_of)


def prepare(server: LocalPostgres, settings: Settings, tasks: int) -> None:
    """Generate a database and build it for the first time."""
    server.create_database("contention")
    with connect(server.url("contention", "postgres"), autocommit=True) as connection:
        generate.fill(connection, tasks, organizations=100, as_of=FIRST_DAY)
        initialize(connection, settings)
        # The data ends at FIRST_DAY, so the profiles must have been configured before.
        connection.execute("update insights_ops.profiles set updated_at = '2024-01-01'")
    load(server, settings, FIRST_DAY)
    with connect(server.url("contention", "postgres"), autocommit=True) as connection:
        connection.execute("vacuum analyze")


def rows_of(company: list[Party], when: str) -> list[str]:
    """Return the lines of the table of waits."""
    return [
        f"| {party.name} | {party.threads} | {when} | {len(party.seconds):,} |"
        f" {statistics.median(party.seconds) * 1000:,.0f} | {max(party.seconds) * 1000:,.0f} | {len(party.errors)} |"
        for party in company
    ]


def measure(server: LocalPostgres, settings: Settings, folder: Path, repeats: int) -> tuple[list[str], list[str]]:
    """Return the lines of both tables, and the errors."""
    read_url = server.url("contention", settings.insights.warehouse.read_only_user)
    days = (FIRST_DAY + timedelta(days=n) for n in itertools.count(1))
    alone, together = [], []
    with closing(Reader.open(settings, read_url)) as reader:
        before = parties(reader, server, settings, folder)
        during = parties(reader, server, settings, folder)
        for _ in range(repeats):
            touch(server, day := next(days))
            alone.append(load(server, settings, day))
            with at_work(before):
                time.sleep(alone[-1])
            touch(server, day := next(days))
            with at_work(during):
                together.append(load(server, settings, day))
    lines = [
        "| party | how many | load | actions | median ms | longest ms | errors |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
        *rows_of(before, "none"),
        *rows_of(during, "runs"),
        "",
        "| daily load | s | ratio |",
        "| --- | ---: | ---: |",
        f"| alone | {statistics.median(alone):.1f} | |",
        f"| with all of them | {statistics.median(together):.1f}"
        f" | {statistics.median(together) / statistics.median(alone):.2f} |",
    ]
    return lines, [error for party in (*before, *during) for error in party.errors]


@click.command(help=__doc__)
@click.option("--tasks", type=click.IntRange(min=1000), default=100_000, show_default=True, help="Number of tasks.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="Daily loads of each kind.")
def main(tasks: int, repeats: int) -> None:
    """Start the servers, measure, print the tables and remove everything."""
    with tempfile.TemporaryDirectory(prefix="orgo-insights-bench-") as folder:
        os.environ |= {"DBT_TARGET_PATH": f"{folder}/target", "DBT_LOG_PATH": f"{folder}/logs", "INSIGHTS_ENV": "prod"}
        state = state_root(Path(folder))
        server, cache = LocalPostgres(state), LocalRedis(state)
        try:
            with redirect_stdout(sys.stderr):
                server.start()
                cache.start()
                os.environ["INSIGHTS_REDIS_URL"] = cache.url()
                settings = load_settings()
                prepare(server, settings, tasks)
                lines, errors = measure(server, settings, Path(folder), repeats)
        finally:
            cache.stop()
            server.stop()
            remove_state(state)
    print("\n".join(lines))
    print(f"\nload average at the end {', '.join(f'{average:.1f}' for average in os.getloadavg())}")
    if errors:
        raise click.ClickException("\n".join(sorted(set(errors))))


if __name__ == "__main__":
    main()
