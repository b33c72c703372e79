"""The log of purges, `<schema>_ops.purge_log`: the cutoff of each relation, and the rows deleted so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from orchestration.config.files import Settings
from orchestration.config.tokens import PerEnvironment
from orchestration.retention.plan import CLASSES, Retained, RetentionClass
from orchestration.warehouse.clock import check_as_of, today
from orchestration.warehouse.database import Database


@dataclass(frozen=True)
class Clock:
    """The date of a purge, and the first date to keep of each retention class."""

    as_of: date
    cutoffs: Mapping[RetentionClass, date]


@dataclass(frozen=True)
class PurgeLog:
    """The log entries of one purge, by relation."""

    db: Database
    ids: Mapping[str, int]

    def finish(self, relation: str) -> None:
        """Record that a relation is done."""
        query = sql.SQL("update {} set finished_at = clock_timestamp() where purge_log_id = %s").format(
            self.db.ops("purge_log")
        )
        self.db.execute(query, [self.ids[relation]])


def read_clock(db: Database, as_of: date | None) -> Clock:
    """Return the cutoffs as of a UTC date (default: today); raises BadInputError for a date after tomorrow."""
    day = as_of or today(db)
    check_as_of(db, day)
    rule = sql.SQL("select {}(%s, %s, %s)").format(db.ops("retention_cutoff"))
    return Clock(day, {name: db.value(rule, [name, day, days_kept(db.settings, name)]) for name in CLASSES})


def open_log(db: Database, plan: Sequence[Retained], clock: Clock) -> PurgeLog:
    """Log the cutoff of every relation in one transaction; from then on, no load adds rows before it."""
    query = sql.SQL(
        "insert into {} (relation_name, retention_class, as_of, cutoff, environment) values (%s, %s, %s, %s, %s)"
        " returning purge_log_id"
    ).format(db.ops("purge_log"))
    ids = {}
    with db.connection.transaction():
        for retained in plan:
            name, cutoff = retained.relation.name, clock.cutoffs[retained.retention_class]
            values = [name, retained.retention_class, clock.as_of, cutoff, db.settings.environment]
            ids[name] = int(db.value(query, values))
    return PurgeLog(db, ids)


def days_kept(settings: Settings, name: RetentionClass) -> int:
    """Return for how many days rows of a class are kept in the ENVIRONMENT of the settings."""
    days: PerEnvironment = getattr(settings.insights.retention, f"{name}_retention_days")
    return days.of(settings.environment)
