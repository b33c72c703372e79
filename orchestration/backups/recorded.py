"""Keeps what became of backups and drills in `insights_ops.backup_runs` and `backup_drills` (decision D231)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from psycopg import sql
from psycopg.types.json import Jsonb

from orchestration.backups.schedule import Kind
from orchestration.warehouse.database import Database

LONGEST_FAILURE = 2000  # characters
_RECORD_RUN = (
    "insert into {} (kind, environment, started_at, label, byte_count, failure) values (%s, %s, %s, %s, %s, %s)"
)
_RECORD_DRILL = """
    insert into {} (
        environment, started_at, target, restored_until, rpo_seconds, rto_seconds, step_seconds, relations_compared,
        failure
    )
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_NEWEST_RUNS = """
    select
        kind,
        max(ended_at) filter (where failure is null),
        count(*) filter (where failure is not null),
        (array_agg(failure order by ended_at desc))[1]
    from {}
    where environment = %s
    group by kind
"""
_NEWEST_DRILL = """
    select started_at, target, restored_until, rpo_seconds, rto_seconds, step_seconds, relations_compared, failure
    from {}
    where environment = %s
    order by ended_at desc
    limit 1
"""


@dataclass(frozen=True)
class BackupRun:
    """A backup that was made: its name in the repository and its size in bytes; or why it failed."""

    kind: Kind
    started_at: datetime
    label: str | None = None
    byte_count: int | None = None
    failure: str | None = None


@dataclass(frozen=True)
class KindOfRun:
    """What is known of the runs of a kind: the end (UTC) of the newest good one, failures, why the newest failed."""

    newest: datetime | None
    failures: int
    failure: str | None


@dataclass(frozen=True)
class Drill:
    """A drill: what was restored, until when (UTC), what was measured, in seconds, and why it failed, if it did.

    `target` is None for everything that was archived. `rpo_seconds` is what a loss of the server would have lost when
    the drill began. `rto_seconds` is the time until the restored warehouse was tested.
    """

    started_at: datetime
    target: datetime | None = None
    restored_until: datetime | None = None
    rpo_seconds: float | None = None
    rto_seconds: float = 0
    step_seconds: Mapping[str, float] = field(default_factory=dict)
    relations_compared: int = 0
    failure: str | None = None


def record_run(db: Database, run: BackupRun) -> None:
    """Record a backup; raises NotPreparedError without `insights init` of this release."""
    values = [run.kind, db.settings.environment, run.started_at, run.label, run.byte_count, _cut(run.failure)]
    db.execute(sql.SQL(_RECORD_RUN).format(db.ops("backup_runs")), values)


def record_drill(db: Database, drill: Drill) -> None:
    """Record a drill; raises NotPreparedError without `insights init` of this release."""
    values = [
        *(db.settings.environment, drill.started_at, drill.target, drill.restored_until),
        *(drill.rpo_seconds, drill.rto_seconds, Jsonb(dict(drill.step_seconds)), drill.relations_compared),
        _cut(drill.failure),
    ]
    db.execute(sql.SQL(_RECORD_DRILL).format(db.ops("backup_drills")), values)


def newest_runs(db: Database) -> dict[str, KindOfRun]:
    """Return what is known of each kind of backup that was ever run in this environment."""
    rows = db.rows(sql.SQL(_NEWEST_RUNS).format(db.ops("backup_runs")), [db.settings.environment])
    return {kind: KindOfRun(_utc(newest), failures, failure) for kind, newest, failures, failure in rows}


def newest_drill(db: Database) -> Drill | None:
    """Return the latest drill of this environment; None if there was none."""
    rows = db.rows(sql.SQL(_NEWEST_DRILL).format(db.ops("backup_drills")), [db.settings.environment])
    if not rows:
        return None
    started, target, until, *measured = rows[0]
    return Drill(started.astimezone(UTC), _utc(target), _utc(until), *measured)


def _cut(text: str | None) -> str | None:
    return text[:LONGEST_FAILURE] if text else None


def _utc(when: datetime | None) -> datetime | None:
    return when.astimezone(UTC) if when else None
