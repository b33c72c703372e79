"""Keeps how the runs of the DAGs ended in `insights_ops.dag_outcomes` (decision D224)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from psycopg import sql
from psycopg.types.json import Jsonb

from orchestration.warehouse.database import Database

_BEFORE = "select run_id, ended_at, is_failing, failing_since from {} where dag_id = %s for update"
_RECORD = """
    insert into {} as o (
        dag_id, run_id, ended_at, is_failing, failing_since, message, failures, interval_end, step_seconds
    )
    values (
        %(dag_id)s, %(run_id)s, %(ended_at)s, %(is_failing)s, %(failing_since)s, %(message)s, %(failed)s, %(covered)s,
        %(step_seconds)s
    )
    on conflict (dag_id) do update set
        run_id = excluded.run_id,
        ended_at = excluded.ended_at,
        is_failing = excluded.is_failing,
        failing_since = excluded.failing_since,
        message = excluded.message,
        failures = o.failures + excluded.failures,
        interval_end = greatest(o.interval_end, excluded.interval_end),
        step_seconds = excluded.step_seconds
"""
_UNDELIVERED = "update {} set undelivered = undelivered + %s, undelivered_reason = %s where dag_id = %s"
_ALL = "select dag_id, failures, interval_end, is_failing, undelivered, step_seconds from {}"


@dataclass(frozen=True)
class Ended:
    """A run of a DAG that has ended: `interval_end` is the end of its data interval, `message` says why it failed.

    Times are aware; `step_seconds` are by step, from the start of its first task to the end of its last.
    """

    dag_id: str
    run_id: str
    ended_at: datetime
    interval_end: datetime
    message: str | None
    step_seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def has_failed(self) -> bool:
        """Whether the run failed."""
        return self.message is not None


@dataclass(frozen=True)
class Outcome:
    """What is known of a DAG: failed runs, the latest interval (UTC) that a run succeeded for, its latest run's steps.

    `undelivered` is the number of messages that reached nobody.
    """

    failures: int = 0
    interval_end: datetime | None = None
    is_failing: bool = False
    undelivered: int = 0
    step_seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded:
    """Whether a run was recorded for the first time, and since when the DAG failed before it; None if it was well."""

    is_new: bool
    failing_since: datetime | None


def record(db: Database, ended: Ended) -> Recorded:
    """Record a run once, however often it is given.

    Raises NotPreparedError without `insights init` of this release.
    """
    with db.errors(), db.connection.transaction():
        found = db.rows(sql.SQL(_BEFORE).format(db.ops("dag_outcomes")), [ended.dag_id])
        run_id, ended_at, was_failing, since = found[0] if found else (None, None, False, None)
        before = since.astimezone(UTC) if was_failing else None
        if (run_id, ended_at) == (ended.run_id, ended.ended_at):
            return Recorded(is_new=False, failing_since=before)
        values = {
            "dag_id": ended.dag_id,
            "run_id": ended.run_id,
            "ended_at": ended.ended_at,
            "is_failing": ended.has_failed,
            "failing_since": (before or ended.ended_at) if ended.has_failed else None,
            "message": ended.message,
            "failed": int(ended.has_failed),
            "covered": None if ended.has_failed else ended.interval_end,
            "step_seconds": Jsonb(dict(ended.step_seconds)),
        }
        db.execute(sql.SQL(_RECORD).format(db.ops("dag_outcomes")), values)
        return Recorded(is_new=True, failing_since=before)


def record_undelivered(db: Database, dag_id: str, reasons: list[str]) -> None:
    """Count messages about a DAG that reached nobody, with the reason of the last."""
    db.execute(sql.SQL(_UNDELIVERED).format(db.ops("dag_outcomes")), [len(reasons), reasons[-1], dag_id])


def outcomes(db: Database) -> dict[str, Outcome]:
    """Return what is known of each DAG that has ended a run, by its id."""
    return {
        dag_id: Outcome(failures, end.astimezone(UTC) if end else None, is_failing, undelivered, steps)
        for dag_id, failures, end, is_failing, undelivered, steps in db.rows(
            sql.SQL(_ALL).format(db.ops("dag_outcomes"))
        )
    }
