"""Time `insights purge` against one plain DELETE of the same rows, and the latency of a concurrent reader.

Starts a private PostgreSQL in a temporary folder, fills fact_tasks and dim_tasks with rows of 1,000 days, half of them
past retention, prints one Markdown table and removes everything afterwards.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import click
import psycopg

from orchestration import dbt
from orchestration.config.files import load_settings
from orchestration.retention.plan import load_plan
from orchestration.retention.purge import purge
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.init import initialize
from workshop.sample.load import load_sample
from workshop.services import LocalPostgres, remove_state, state_root

AS_OF = date(2026, 1, 1)
CUTOFF = "date '2024-01-02'"
MARTS = ("dim_tasks", "fact_tasks")
SERVER = {"shared_buffers": "2GB", "max_wal_size": "8GB", "random_page_cost": "1.1", "autovacuum": "off"}

# Tasks of 100 organizations over 500 days before the cutoff and 500 days from it.
FILL = f"""
truncate insights.fact_tasks, insights.dim_tasks;
create temporary table generated as
select
    n,
    md5(n::text)::uuid as task_id,
    md5((n % 100)::text)::uuid as organization_id,
    {CUTOFF} - 500 + (n * 1000 / %(tasks)s)::int as day
from generate_series(0, %(tasks)s - 1) as n;
insert into insights.dim_tasks (
    task_id, organization_id, label, is_label_valid, category, priority, severity, visibility, source, created_at,
    current_status, quality_flags, loaded_at
)
select
    task_id, organization_id, '11.11.HR', true, 'request', 'HIGH', 'MINOR', 'INTERNAL', 'api', day, 'PENDING', '{{}}',
    now()
from generated;
insert into insights.fact_tasks (
    id, task_id, organization_id, created_date_key, current_status, priority, severity, source, escalation_count,
    comment_count, event_count, visibility, loaded_at
)
select n, task_id, organization_id, day, 'PENDING', 'HIGH', 'MINOR', 'api', 0, 0, 1, 'INTERNAL', now() from generated;
"""  # noqa: S608 -- literals of this file
PLAIN = f"""
with deleted as (delete from insights.fact_tasks where created_date_key < {CUTOFF} returning task_id)
delete from insights.dim_tasks using deleted where dim_tasks.task_id = deleted.task_id
"""  # noqa: S608 -- literals of this file
READ = f"""
select count(*), count(closed_date_key) from insights.fact_tasks
where organization_id = md5('7')::uuid and created_date_key >= {CUTOFF} + 400
"""  # noqa: S608 -- literals of this file


@dataclass
class Reader:
    """Repeat a dashboard's query and record the duration of each in seconds."""

    url: str
    seconds: list[float] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Query until `stopped` is set."""
        with connect(self.url, autocommit=True) as connection:
            while not self.stopped.is_set():
                start = time.perf_counter()
                connection.execute(READ).fetchall()
                self.seconds.append(time.perf_counter() - start)
                time.sleep(0.01)


@click.command()
@click.option("--tasks", default=2_000_000, help="Number of tasks, half of which are deleted.")
@click.option("--repeats", default=3, help="Number of alternating runs of each side.")
def main(tasks: int, repeats: int) -> None:
    """Time the purge and print one Markdown table."""
    os.environ |= dict.fromkeys(("DBT_TARGET_PATH", "DBT_LOG_PATH"), tempfile.mkdtemp())
    settings = load_settings()
    state = state_root(Path(tempfile.mkdtemp()))
    server = LocalPostgres(state)
    server.start()
    try:
        server.create_database("bench")
        with connect(server.url("postgres", "postgres"), autocommit=True) as connection:
            for name, value in SERVER.items():
                connection.execute(f"alter system set {name} = '{value}'")
        server.stop()
        server.start()
        with connect(server.url("bench", "postgres")) as connection:
            load_sample(connection)
            initialize(connection, settings)
        etl = server.url("bench", settings.insights.warehouse.write_user)
        run = ["run", "--select", "+dim_tasks", "+fact_tasks", "--quiet"]
        dbt.write(settings, run, url=etl, variables={"as_of": "2024-01-03"})
        plan = [retained for retained in load_plan(settings) if retained.relation.name in MARTS]
        sides: dict[str, Callable[[psycopg.Connection], object]] = {
            "idle": lambda _: time.sleep(5),
            "insights purge": lambda connection: purge(Database(settings, connection), plan, AS_OF),
            "one plain DELETE": lambda connection: connection.execute(PLAIN),
        }
        click.echo("| side | s | rows/s | reader, median ms | reader, longest ms |\n| --- | --- | --- | --- | --- |")
        for repeat in range(repeats):
            order = list(sides.items())
            for name, side in order[:1] + order[1:][:: 1 if repeat % 2 else -1]:
                with connect(etl, autocommit=True) as connection:
                    _fill(connection, tasks)
                    reader = server.url("bench", settings.insights.warehouse.read_only_user)
                    seconds, reads = _timed(reader, side, connection)
                    if name != "idle":
                        _check(connection, tasks)
                rate = f"{tasks / seconds:,.0f}" if name != "idle" else ""
                median, longest = sorted(reads)[len(reads) // 2] * 1000, max(reads) * 1000
                click.echo(f"| {name} | {seconds:.1f} | {rate} | {median:.1f} | {longest:.0f} |")
    finally:
        server.stop()
        remove_state(state)


def _fill(connection: psycopg.Connection, tasks: int) -> None:
    for statement in FILL.split(";\n")[:-1]:
        connection.execute(statement.replace("%(tasks)s", str(tasks)))
    connection.execute("drop table generated")
    connection.execute("vacuum analyze insights.fact_tasks, insights.dim_tasks")
    with connect(connection.info.dsn.replace(connection.info.user, "postgres"), autocommit=True) as admin:
        admin.execute("checkpoint")


def _timed(
    reader_url: str, side: Callable[[psycopg.Connection], object], connection: psycopg.Connection
) -> tuple[float, list[float]]:
    reader = Reader(reader_url)
    thread = threading.Thread(target=reader.run)
    thread.start()
    time.sleep(1)
    reader.seconds.clear()
    start = time.perf_counter()
    side(connection)
    seconds = time.perf_counter() - start
    reads = list(reader.seconds)
    reader.stopped.set()
    thread.join()
    return seconds, reads


def _check(connection: psycopg.Connection, tasks: int) -> None:
    row = connection.execute(
        "select (select count(*) from insights.fact_tasks), (select count(*) from insights.dim_tasks)"
    ).fetchone()
    if row != (tasks // 2, tasks // 2):
        raise SystemExit(f"{row} rows are left instead of {tasks // 2} each")


if __name__ == "__main__":
    main()
