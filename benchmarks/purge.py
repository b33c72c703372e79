"""A purge of a month and of a quarter of the history, against a plain DELETE, each while a reader queries."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

import psycopg
from psycopg import sql

from benchmarks.errors import BenchmarkError
from benchmarks.measure import Comparison, Measurement, in_turn, tree_seconds
from benchmarks.services import BUILT, Bench
from benchmarks.sizes import FIRST_DAY
from orchestration.retention.plan import Retained, load_plan
from orchestration.retention.purge import purge
from orchestration.retention.rows import identifier
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database

NAME = "purge"
HISTORY_DAYS = 700  # see source.fill
SPANS = {"a month": 30, "a quarter of the history": HISTORY_DAYS // 4}  # longer ones have a day in the future
# A dashboard's statement, for the organization with the most tasks.
READ = """
    select count(*), count(closed_date_key) from insights.fact_tasks
    where organization_id = %s and created_date_key >= %s
"""
LARGEST = "select organization_id from insights.fact_tasks group by 1 order by count(*) desc limit 1"
PAUSE_SECONDS = 0.01

Purge = Callable[[psycopg.Connection], None]


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield a comparison for each span; each side has a new copy of the built warehouse."""
    retention = bench.settings.insights.retention
    keep = timedelta(days=retention.raw_event_retention_days.of(bench.settings.environment))
    plan = [r for r in load_plan(bench.settings) if r.retention_class == "raw_event" and r.dated_by is None]
    for title, days in SPANS.items():
        cutoff = FIRST_DAY - timedelta(days=HISTORY_DAYS - days)
        compared = Comparison(NAME, f"purge of {title}", bench.size, "one DELETE a table", is_same=True)
        work = partial(_purge, bench, plan, cutoff + keep)
        floor = partial(_delete, plan, cutoff)
        yield in_turn(
            compared, bench.size.repeats, partial(_side, bench, plan, work), partial(_side, bench, plan, floor)
        )
    bench.drop(NAME)


def _purge(bench: Bench, plan: list[Retained], as_of: date, connection: psycopg.Connection) -> None:
    purge(Database(bench.settings, connection), plan, as_of)


def _delete(plan: list[Retained], cutoff: date, connection: psycopg.Connection) -> None:
    """Delete the rows before the cutoff, and those that go with them, in one transaction."""
    with connection.transaction():
        for retained in (r for r in plan if r.date):
            names = {"relation": identifier(retained.relation), "date": sql.Identifier(retained.date or "")}
            followers = [r for r in plan if r.goes_with == retained.relation.name and not r.date]
            key = sql.SQL(", ").join(map(sql.Identifier, retained.key)) if followers else sql.SQL("1")
            parts = [
                sql.SQL("gone as (delete from {relation} where {date} < %(cutoff)s returning {key})").format(
                    **names, key=key
                )
            ]
            parts += [
                sql.SQL("{} as (delete from {} as f using gone where {})").format(
                    sql.Identifier(follower.relation.name),
                    identifier(follower.relation),
                    sql.SQL(" and ").join(
                        sql.SQL("{} = {}").format(sql.Identifier("f", column), sql.Identifier("gone", column))
                        for column in follower.key
                    ),
                )
                for follower in followers
            ]
            connection.execute(sql.SQL("with {} select 1").format(sql.SQL(", ").join(parts)), {"cutoff": cutoff})


def _side(bench: Bench, plan: list[Retained], side: Purge) -> Measurement:
    """Delete with one side while a reader asks; `rows` are the deleted ones of all relations."""
    bench.copy(BUILT, NAME)
    before = _rows(bench, plan)
    with bench.measured(NAME) as found:
        with reader(bench.reader_url(NAME)) as reads, connect(bench.etl_url(NAME), autocommit=True) as connection:
            started = time.perf_counter()
            side(connection)
            spent = time.perf_counter() - started
        if not reads.seconds:
            raise BenchmarkError("The reader got no answer.")
    # The longer a side takes, the more often the reader asks, which is no work of that side.
    found.server -= reads.server
    found.rows = before - _rows(bench, plan)
    found.figures = {
        "delete s": spent,
        "reader, server s": reads.server,
        "read, median ms": statistics.median(reads.seconds) * 1000,
        "read, longest ms": max(reads.seconds) * 1000,
    }
    return found


@dataclass
class Reads:
    """What a reader waited for each answer, in seconds, and the processor seconds of its session at the server."""

    seconds: list[float] = field(default_factory=list)
    server: float = 0.0


@contextmanager
def reader(url: str) -> Iterator[Reads]:
    """Repeat a dashboard's statement while the block runs; yields its reads, which are complete after the block."""
    reads = Reads()
    errors: list[Exception] = []
    stopped, begun = threading.Event(), threading.Event()

    def repeat() -> None:
        try:
            with connect(url, autocommit=True) as connection:
                largest = connection.execute(LARGEST).fetchall()[0][0]
                while not (begun.is_set() and stopped.wait(PAUSE_SECONDS)):
                    started = time.perf_counter()
                    connection.execute(READ, [largest, FIRST_DAY - timedelta(days=60)]).fetchall()
                    reads.seconds.append(time.perf_counter() - started)
                    begun.set()
                reads.server = tree_seconds(connection.info.backend_pid)
        except Exception as error:
            errors.append(error)
            begun.set()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        begun.wait()
        yield reads
    finally:
        stopped.set()
        thread.join()
    if errors:
        raise errors[0]


def _rows(bench: Bench, plan: list[Retained]) -> int:
    """Return the rows of all relations of the plan."""
    with connect(bench.admin_url(NAME)) as connection:
        queries = [sql.SQL("select count(*) from {}").format(identifier(r.relation)) for r in plan]
        return sum(int(connection.execute(query).fetchall()[0][0]) for query in queries)
