"""The operational tables of a benchmark: generated rows, and the changes of one day.

The server computes all values from hashes of row numbers, so the same arguments produce the same rows.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg

from benchmarks.errors import BenchmarkError
from workshop.operational import create_operational_schema

SCRIPTS = Path(__file__).parent / "sql"
STEP = re.compile(r"^-- step: .+\n", re.MULTILINE)
SESSION = "set local work_mem = '512MB'; set local maintenance_work_mem = '1GB'; set local jit = off"


def fill(connection: psycopg.Connection, tasks: int, organizations: int, as_of: date) -> None:
    """Create the operational schema in an empty database and fill it with valid rows of the 700 days before `as_of`.

    For N tasks there are 4 N events, N/2 comments, N/2 assignments, N/10 cases, N/20 check-ins, N/10 entity labels,
    N/50 persons and N/500 users (each at least one per organization).
    """
    with connection.transaction():
        create_operational_schema(connection)
        connection.execute(SESSION)
        settings = {"tasks": str(tasks), "organizations": str(organizations), "as_of": as_of.isoformat()}
        _run_steps(connection, "generate.sql", settings)


def touch(connection: psycopg.Connection, share: float, as_of: date) -> None:
    """Change `share` (0 to 1) of the tasks on the day before `as_of`; each change has an event.

    Of these tasks, 40% are completed, 30% get a comment, and 30% are new, a third of them in an existing case. Raises
    BenchmarkError if the day already has events.
    """
    day = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC) - timedelta(days=1)
    with connection.transaction():
        if connection.execute("select 1 from task_events where created_at >= %s limit 1", [day]).fetchone():
            raise BenchmarkError(f"There are events on or after {day:%Y-%m-%d} already; use a later day.")
        _run_steps(connection, "touch.sql", {"share": str(share), "as_of": as_of.isoformat()})


def _run_steps(connection: psycopg.Connection, script: str, settings: dict[str, str]) -> None:
    """Run the steps of a script in order, with `settings` as benchmark.NAME of the session."""
    connection.execute("set local timezone = 'UTC'")
    for name, value in settings.items():
        connection.execute("select set_config(%s, %s, true)", [f"benchmark.{name}", value])
    for statements in STEP.split((SCRIPTS / script).read_text(encoding="utf-8"))[1:]:
        connection.execute(statements.encode(), prepare=False)
