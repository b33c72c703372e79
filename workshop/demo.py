"""Build and test the whole warehouse on private services, from the sample or from an incident log."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from orchestration import dbt
from orchestration.config.files import PROJECT, Settings
from orchestration.config.variables import EXPORT_KEY
from orchestration.errors import FailedError
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.init import initialize
from orchestration.warehouse.status import Status, read_status
from workshop.demo_variables import DAYS, INCIDENTS_DATABASE, SAMPLE_DATABASE, cache_url, export_key
from workshop.incidents import import_incidents
from workshop.operational import create_operational_schema
from workshop.sample.load import load_sample
from workshop.services import LocalPostgres, LocalRedis, state_root

SUPERUSER = "postgres"

# Called with the number of finished steps and the total number of steps.
Progress = Callable[[int, int], None]

ERROR_LINES = 30  # lines of dbt's output that a failed build shows
_NODE_DONE = re.compile(r" (\d+) of (\d+) (?!START)")
_NODE_SUCCESS = re.compile(r" (OK|PASS|START) ")


@dataclass(frozen=True)
class Demo:
    """Where and on what the demo runs.

    `state`: the folder of the private services; `as_of`: the day after the data ends; `incident_log`: the file to
    import, None for the sample.
    """

    settings: Settings
    state: Path
    database: str
    as_of: date
    incident_log: Path | None = None

    @property
    def warehouse_url(self) -> str:
        """URL of the database for the ETL role."""
        return LocalPostgres(self.state).url(self.database, self.settings.insights.warehouse.write_user)

    @property
    def admin_url(self) -> str:
        """URL of the database for its superuser."""
        return LocalPostgres(self.state).url(self.database, SUPERUSER)


def prepare_demo(settings: Settings, incident_log: Path | None) -> Demo:
    """Return the demo for this checkout; starts nothing.

    The sample and an incident log use separate databases.
    """
    database = INCIDENTS_DATABASE if incident_log else SAMPLE_DATABASE
    return Demo(settings, state_root(PROJECT), database, DAYS[database], incident_log)


def start_services(demo: Demo) -> None:
    """Start the private PostgreSQL and Redis unless they are running, and create the demo's database."""
    postgres = LocalPostgres(demo.state)
    postgres.start()
    postgres.create_database(demo.database)
    LocalRedis(demo.state).start()


def fill_source(demo: Demo) -> str:
    """Fill the operational tables unless they are filled, and return a phrase that describes their contents."""
    with connect(demo.admin_url) as connection:
        if demo.incident_log is None:
            rows = load_sample(connection).rows
            return f"{rows['organizations']} organizations, {rows['tasks']:,} tasks, {rows['task_events']:,} events"
        create_operational_schema(connection)
        connection.commit()
        report = demo.state / "rejected-incidents.csv"
        result = import_incidents(connection, demo.incident_log, report=report)
        events = result.tables["task_events"]
        return (
            f"the {result.rows:,} rows of {demo.incident_log.name}: {events.loaded:,} loaded,"
            f" {events.merged:,} already present, {events.rejected:,} rejected ({report})"
        )


def later_day(demo: Demo) -> date | None:
    """Return the latest day that the warehouse was loaded or purged as of, if it is after the demo's; else None."""
    with connect(demo.admin_url) as connection:
        db = Database(demo.settings, connection)
        logs = [db.ops("load_log"), db.ops("purge_log")]
        if not all(db.value("select to_regclass(%s)", [log.as_string(connection)]) for log in logs):
            return None
        query = sql.SQL("select greatest((select max(as_of) from {}), (select max(as_of) from {}))").format(*logs)
        latest: date | None = db.value(query)
    return latest if latest and latest > demo.as_of else None


def remove_warehouse(demo: Demo) -> None:
    """Drop the schemas of the warehouse and empty its cache; the operational tables stay.

    Retention never moves back, so the rows that a load as of a later day removed return only in a new warehouse.
    """
    with connect(demo.admin_url) as connection:
        db = Database(demo.settings, connection)
        for schema in db.names.schemas:
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
    with redis.Redis.from_url(cache_url(demo.state, demo.database)) as cache:
        cache.flushdb()  # a new load log counts from 1, and entries are known by the number of their load


def prepare_database(demo: Demo) -> None:
    """Run `insights init` on the demo's database, with the demo's key of exports."""
    given = os.environ.get(EXPORT_KEY)
    os.environ[EXPORT_KEY] = export_key(demo.state)
    try:
        with psycopg.connect(demo.admin_url) as connection:
            initialize(connection, demo.settings)
    finally:
        del os.environ[EXPORT_KEY]
        if given is not None:
            os.environ[EXPORT_KEY] = given


def build(demo: Demo, progress: Progress) -> None:
    """Build and test the warehouse as of `demo.as_of`.

    Raises FailedError with the last lines of dbt's output when the build fails.
    """
    log = demo.state / "build.log"
    with log.open("w", encoding="utf-8") as file:

        def follow(line: str) -> None:
            file.write(line)
            if found := _NODE_DONE.search(line):
                progress(int(found[1]), int(found[2]))

        variables = dbt.as_of_variable(demo.as_of)
        command = ["build", *dbt.NO_UNIT_TESTS]
        result = dbt.write(demo.settings, command, url=demo.warehouse_url, variables=variables, on_line=follow)
    if result.exit_code:
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if not _NODE_SUCCESS.search(line)]
        raise FailedError("\n".join([*lines[-ERROR_LINES:], f"dbt failed; its full output is in {log}"]))


def summary(demo: Demo) -> Status:
    """Return the status of the warehouse."""
    with connect(demo.warehouse_url) as connection:
        return read_status(Database(demo.settings, connection), dags={})  # the demo keeps its day
