"""Fill an operational database for benchmarks, or add the changes of one day.

The PG* variables select the database.

    python benchmarks/generate.py --tasks 1000000 --organizations 100
        fills an empty database with N tasks, 4 N events, N/2 comments, N/2 assignments, N/10 cases, N/20 check-ins,
        N/10 entity labels, N/50 persons and N/500 users (each at least one per organization). All rows are valid and
        spread over the 700 days before --as-of.

    python benchmarks/generate.py --touch 0.001 --as-of 2026-01-02
        adds changes to that share of the tasks on the day before --as-of: 40% are completed, 30% get a comment, and
        30% are new, a third of them in an existing case. Each change has an event, and all timestamps are on that
        day. Fails if the day already has events.

The server computes all values from hashes of row numbers, so the same arguments produce the same rows.
"""

import re
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click
import psycopg

from workshop.operational import create_operational_schema

HERE = Path(__file__).parent
STEP = re.compile(r"^-- step: (.+)\n", re.MULTILINE)
SMALLEST = 1_000
SESSION = "set local work_mem = '256MB'; set local maintenance_work_mem = '512MB'; set local jit = off"


def run_steps(connection: psycopg.Connection, script: Path, settings: dict[str, str]) -> None:
    """Run the steps of a script in order and print the duration of each."""
    connection.execute("set local timezone = 'UTC'")
    for name, value in settings.items():
        connection.execute("select set_config(%s, %s, true)", [f"benchmark.{name}", value])
    _, *parts = STEP.split(script.read_text())
    for title, statements in zip(parts[::2], parts[1::2], strict=True):
        started = time.monotonic()
        connection.execute(statements.encode(), prepare=False)
        print(f"{time.monotonic() - started:7.1f} s  {title}", flush=True)


def fill(connection: psycopg.Connection, tasks: int, organizations: int, as_of: date) -> None:
    """Create the operational schema if needed and fill it. Raises ClickException if it contains organizations."""
    with connection.transaction():
        create_operational_schema(connection)
        if connection.execute("select 1 from organizations limit 1").fetchone():
            raise click.ClickException(
                "The database already contains organizations; use an empty database for --tasks."
            )
        connection.execute(SESSION)
        settings = {"tasks": str(tasks), "organizations": str(organizations), "as_of": as_of.isoformat()}
        run_steps(connection, HERE / "generate.sql", settings)


def touch(connection: psycopg.Connection, share: float, as_of: date) -> None:
    """Change `share` (0 to 1) of the tasks on the day before `as_of`. Raises ClickException if it has events."""
    day = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC) - timedelta(days=1)
    with connection.transaction():
        if connection.execute("select 1 from task_events where created_at >= %s limit 1", [day]).fetchone():
            raise click.ClickException(f"Events on or after {day:%Y-%m-%d} already exist; use a later --as-of.")
        run_steps(connection, HERE / "touch.sql", {"share": str(share), "as_of": as_of.isoformat()})


# The \b before each paragraph keeps click from wrapping it.
@click.command(help="\b\n" + (__doc__ or "").replace("\n\n", "\n\n\b\n"))
@click.option("--tasks", type=click.IntRange(min=SMALLEST), help="Fill an empty database with this many tasks.")
@click.option(
    "--organizations", type=click.IntRange(min=1), default=100, show_default=True, help="Number of organizations."
)
@click.option("--touch", "share", type=click.FloatRange(0, 1), help="Change this share of the tasks.")
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2026-01-01",
    show_default=True,
    help="Day after the last event.",
)
def main(tasks: int | None, organizations: int, share: float | None, as_of: datetime) -> None:
    """Fill the database or add the changes of one day."""
    if (tasks is None) == (share is None):
        raise click.UsageError("Use either --tasks or --touch.")
    started = time.monotonic()
    try:
        connection = psycopg.connect("", autocommit=True)
    except psycopg.OperationalError as error:
        raise click.ClickException(
            f"Cannot connect: set PGHOST, PGPORT, PGUSER and PGDATABASE to a database: {error}"
        ) from error
    with connection:
        if tasks is not None:
            fill(connection, tasks, organizations, as_of.date())
            connection.execute("vacuum analyze")
        elif share is not None:
            touch(connection, share, as_of.date())
    print(f"{time.monotonic() - started:7.1f} s  total")


if __name__ == "__main__":
    main()
