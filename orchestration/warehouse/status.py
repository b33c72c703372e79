"""Reads the state of the warehouse: the age of each mart, failed tests, rejected and flagged rows, drift."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from psycopg import sql

from orchestration.config.cron import latest_time
from orchestration.config.files import Settings
from orchestration.config.variables import AS_OF
from orchestration.errors import InsightsError
from orchestration.warehouse.database import Database
from orchestration.warehouse.source.rows import rows_behind


@dataclass(frozen=True)
class MartAge:
    """One relation of the schema of the marts: the horizon (exclusive) and the time (UTC) of its newest load.

    Both are None for a relation that no load writes, such as a seed. `is_late` is None unless a DAG builds the relation
    on a schedule in this environment.
    """

    name: str
    data_up_to: date | None
    loaded_at: datetime | None
    is_late: bool | None


@dataclass(frozen=True)
class MartStatus(MartAge):
    """A relation of the schema of the marts with its number of rows."""

    rows: int


@dataclass(frozen=True)
class DataTests:
    """The newest result of each data test: their number, the newest time (UTC); of some (test, rows, time).

    `failed` are those that failed, `warned` those that only warn. `recounted_at` is the time (UTC) since when each of
    them has passed over all rows; None if one never has.
    """

    count: int
    logged_at: datetime | None
    recounted_at: datetime | None
    failed: list[tuple[str, int, datetime]]
    warned: list[tuple[str, int, datetime]]


@dataclass(frozen=True)
class Status:
    """The state of the warehouse.

    `rejected` and `flagged` are (relation, finding, rows); `drift` is (column, drift, type, rows left out because they
    repeat the column's value or have none); `behind` is (operational table, rows, rows before `cutoff`), where `cutoff`
    is that of raw events; it is empty, and `source_error` says why, if the operational tables cannot be read.
    """

    environment: str
    read_at: datetime
    marts: list[MartStatus]
    tests: DataTests
    rejected: list[tuple[str, str, int]]
    flagged: list[tuple[str, str, int]]
    drift: list[tuple[str, str, str | None, int | None]]
    cutoff: str
    behind: list[tuple[str, int, int]]
    source_error: str | None

    @property
    def late(self) -> list[str]:
        """The names of the marts that are late."""
        return [mart.name for mart in self.marts if mart.is_late]

    @property
    def is_in_order(self) -> bool:
        """Whether no mart is late and no test failed."""
        return not self.late and not self.tests.failed


def read_status(db: Database, dags: Mapping[str, str]) -> Status:
    """Return the state of the warehouse; `dags` has the key of the scheduled DAG that builds a mart, by its name.

    Raises NotPreparedError or NotBuiltError if nothing has been built.
    """
    findings = sql.SQL(
        "select relation_name, finding, sum(row_count)::bigint from {} where is_loaded = %s group by 1, 2 order by 1, 2"
    ).format(db.ops("data_quality"))
    drift = sql.SQL("select table_name || '.' || column_name, drift, actual_type, repeated_rows from {} order by 1")
    cutoff = db.value(sql.SQL("select {}('raw_event', '-infinity', 0)::text").format(db.ops("retention_cutoff")))
    behind, source_error = _behind(db, cutoff)
    now = db.value("select now()").astimezone(UTC)
    return Status(
        environment=db.settings.environment,
        read_at=now,
        marts=[MartStatus(**vars(age), rows=_rows(db, age.name)) for age in mart_ages(db, dags)],
        tests=_tests(db),
        rejected=db.rows(findings, [False]),
        flagged=db.rows(findings, [True]),
        drift=db.rows(drift.format(db.ops("source_drift"))),
        cutoff=cutoff,
        behind=behind,
        source_error=source_error,
    )


def due_day(settings: Settings, dag: str, now: datetime) -> date | None:
    """Return the day up to which the marts of a DAG should hold data by now; None before its first scheduled time.

    A run at 02:00 UTC counts what happened before that day, and may take `etl.late_after_minutes`.
    """
    moment = latest_time(settings.dags[dag].schedule, now - timedelta(minutes=settings.insights.etl.late_after_minutes))
    return moment.date() if moment else None


def mart_ages(db: Database, dags: Mapping[str, str]) -> list[MartAge]:
    """Return the age of each mart, without counting its rows; `dags` as for `read_status`.

    Raises NotPreparedError or NotBuiltError if nothing has been built.
    """
    now = judged_at(db)
    due = {name: due_day(db.settings, dag, now) for name, dag in dags.items()}
    names = db.rows(
        "select relname from pg_catalog.pg_class where relnamespace = %s::regnamespace and relkind in ('r', 'p', 'm')"
        " order by relname",
        [db.names.marts_schema],
    )
    query = sql.SQL(
        "select distinct on (relation_name) relation_name, horizon, logged_at from {}"
        " order by relation_name, load_log_id desc"
    ).format(db.ops("load_log"))
    loads = {name: (horizon, logged_at.astimezone(UTC)) for name, horizon, logged_at in db.rows(query)}
    ages = []
    for (name,) in names:
        up_to, loaded_at = loads.get(name, (None, None))
        day = due.get(name)
        is_late = (up_to is None or up_to < day) if day else None
        ages.append(MartAge(name, up_to, loaded_at, is_late))
    return ages


def judged_at(db: Database) -> datetime:
    """Return now; at most the end of the day that INSIGHTS_AS_OF sets, after which no load is expected (decision D191).

    A run of that day may take `etl.late_after_minutes` too.
    """
    return judged_moment(db, db.value("select now()"))


def judged_moment(db: Database, moment: datetime) -> datetime:
    """Return a moment in UTC, at most the end of the day that INSIGHTS_AS_OF sets, like `judged_at`."""
    now = moment.astimezone(UTC)
    given = os.environ.get(AS_OF)
    if not given:
        return now
    last = datetime.combine(date.fromisoformat(given), time.max, UTC)
    return min(now, last + timedelta(minutes=db.settings.insights.etl.late_after_minutes))


def _rows(db: Database, name: str) -> int:
    return int(db.value(sql.SQL("select count(*) from {}").format(db.mart(name))))


def _tests(db: Database) -> DataTests:
    relation = db.ops("test_results")
    count, logged_at, recounted_at = db.rows(
        sql.SQL(
            "select count(*), max(logged_at), case when count(*) = count(recounted_at) then min(recounted_at) end"
            " from {}"
        ).format(relation)
    )[0]
    query = sql.SQL(
        "select status = 'warn', test_name, failures, logged_at from {} where status <> 'pass' order by test_name"
    ).format(relation)
    others = [(is_warning, (name, rows, at.astimezone(UTC))) for is_warning, name, rows, at in db.rows(query)]
    utc = [at.astimezone(UTC) if at else None for at in (logged_at, recounted_at)]
    return DataTests(
        count,
        logged_at=utc[0],
        recounted_at=utc[1],
        failed=[test for is_warning, test in others if not is_warning],
        warned=[test for is_warning, test in others if is_warning],
    )


def _behind(db: Database, cutoff: str) -> tuple[list[tuple[str, int, int]], str | None]:
    """Return the rows that are behind a cutoff, and None; or none, and why the source cannot be read."""
    try:
        return rows_behind(db.saying({InsightsError: "{detail}"}), cutoff), None
    except InsightsError as error:
        return [], str(error)
