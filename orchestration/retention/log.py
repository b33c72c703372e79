"""The log of purges, `<schema>_ops.purge_log`: what each one was about to delete, and how far it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.config.tokens import PerEnvironment
from orchestration.retention.plan import CLASSES, Retained, RetentionClass
from orchestration.warehouse.clock import check_as_of


@dataclass(frozen=True)
class Clock:
    """The date of a purge, and by class the first date that stays."""

    as_of: date
    cutoffs: Mapping[RetentionClass, date]


@dataclass(frozen=True)
class PurgeLog:
    """The rows of one purge in the log, by relation."""

    connection: psycopg.Connection
    table: sql.Identifier
    ids: Mapping[str, int]

    def count(self, relation: str, rows: int) -> None:
        """Add deleted rows, in the transaction that deletes them."""
        query = sql.SQL("update {} set rows_purged = rows_purged + %s where purge_log_id = %s").format(self.table)
        self.connection.execute(query, [rows, self.ids[relation]])

    def finish(self, relation: str) -> None:
        """Note that a relation is done."""
        query = sql.SQL("update {} set finished_at = clock_timestamp() where purge_log_id = %s").format(self.table)
        self.connection.execute(query, [self.ids[relation]])


def read_clock(connection: psycopg.Connection, settings: Settings, as_of: date | None) -> Clock:
    """The cutoffs as of a UTC date, by default today; raises InsightsError for a date after tomorrow."""
    if as_of is None:
        day = connection.execute("select cast(now() at time zone 'UTC' as date)").fetchall()[0][0]
    else:
        day = as_of
        check_as_of(connection, settings, day)
    rule = sql.SQL("select {}.retention_cutoff(%s, %s, %s)").format(sql.Identifier(_schema(settings)))
    cutoffs = {name: connection.execute(rule, [name, day, _days(settings, name)]).fetchone() for name in CLASSES}
    return Clock(day, {name: found[0] for name, found in cutoffs.items() if found})


def open_log(connection: psycopg.Connection, settings: Settings, plan: Sequence[Retained], clock: Clock) -> PurgeLog:
    """Log the cutoff of every relation, in one transaction: from then on no load goes behind it."""
    table = sql.Identifier(_schema(settings), "purge_log")
    query = sql.SQL(
        "insert into {} (relation_name, retention_class, as_of, cutoff, environment) values (%s, %s, %s, %s, %s)"
        " returning purge_log_id"
    ).format(table)
    ids = {}
    with connection.transaction():
        for retained in plan:
            name, cutoff = retained.relation.name, clock.cutoffs[retained.retention_class]
            values = [name, retained.retention_class, clock.as_of, cutoff, settings.environment]
            row = connection.execute(query, values).fetchone()
            ids[name] = int(row[0]) if row else 0
    return PurgeLog(connection, table, ids)


def _days(settings: Settings, name: RetentionClass) -> int:
    days: PerEnvironment = getattr(settings.insights.retention, f"{name}_retention_days")
    return days.of(settings.environment)


def _schema(settings: Settings) -> str:
    return f"{settings.insights.warehouse.schema_name}_ops"
