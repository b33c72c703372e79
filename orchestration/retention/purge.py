"""Deletes rows older than the retention of their class in short transactions (section 2.1; decision D8).

The cutoffs are logged before the first row is deleted, so that no load restores rows that a killed purge has deleted or
would have deleted. The next purge deletes the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import Rollback, sql

from orchestration.errors import BusyError, RefusedError
from orchestration.progress import Progress
from orchestration.retention.log import PurgeLog, open_log, read_clock
from orchestration.retention.lower_bounds import check_lower_bounds
from orchestration.retention.plan import Retained, RetentionClass
from orchestration.retention.rows import Batch, count_leaving, delete_batch, halves, identifier, leaving_batches
from orchestration.warehouse.database import Database
from orchestration.warehouse.loads import refuse_serving
from orchestration.warehouse.source.guard import vanished_rows
from orchestration.warehouse.writer_lock import writer_lock

# A batch that cannot get its locks within this time fails, because other sessions would queue behind it.
LOCK_TIMEOUT = "5s"
PURGES = "Purges"
MESSAGES = {
    BusyError: f"Another session has kept rows locked for more than {LOCK_TIMEOUT} ({{detail}}). Rows deleted so far"
    " stay deleted; run insights purge --yes again for the rest.",
    RefusedError: "This user may not purge ({detail}). INSIGHTS_WAREHOUSE_URL must be that of the role that loads"
    " (insights.warehouse.write_user); after an upgrade, run insights init again.",
}


@dataclass(frozen=True)
class Leaving:
    """The number of rows of one relation that are dated before the cutoff: deleted, or in a preview to delete."""

    relation: str
    retention_class: RetentionClass
    cutoff: date
    rows: int


@dataclass(frozen=True)
class PurgeReport:
    """The result of a purge or a preview.

    `warnings` are broken invariants that no enabled review depends on, and relations that are left out.
    """

    as_of: date
    relations: list[Leaving]
    warnings: list[str]


def preview(
    db: Database, plan: Sequence[Retained], as_of: date | None = None, progress: Progress | None = None
) -> PurgeReport:
    """Count the rows that `purge` would delete, in a read-only transaction. Raises like `purge`."""
    db.settings.check_offline(PURGES)
    warnings = check_lower_bounds(db.settings)
    db = db.saying(MESSAGES)
    connection = db.connection
    with db.errors(), connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        connection.execute("set local timezone to 'UTC'")
        clock = read_clock(db, as_of)
        found = []
        present = _present(db, plan, warnings)
        for number, retained in enumerate(present):
            if progress:
                progress(number, len(present), f"counting {retained.relation.name}")
            leader = next((other for other in plan if other.relation.name == retained.goes_with), None)
            cutoff = clock.cutoffs[retained.retention_class]
            rows = count_leaving(connection, retained, leader, cutoff)
            found.append(Leaving(retained.relation.name, retained.retention_class, cutoff, rows))
    return PurgeReport(clock.as_of, found, warnings)


def purge(
    db: Database, plan: Sequence[Retained], as_of: date | None = None, progress: Progress | None = None
) -> PurgeReport:
    """Delete rows that are out of retention as of a UTC date (default: today); log them in `<schema>_ops.purge_log`.

    The connection of `db` must be the ETL role's, in autocommit mode, and used for nothing else, because its time zone
    and lock timeout are set. The writer lock is held throughout. Each batch of `etl.default_batch_size` rows, with the
    rows that go with them, is one transaction of at most `etl.max_batch_size` rows, or of one row with all that go with
    it.

    Raises, before any row is deleted, RefusedError if an enabled review needs the rows, and in `offline` unless it is
    enabled; BusyError if another process writes; BadInputError if the date is in the future; and NotPreparedError
    without `insights init`; ConflictError for the serving database of `insights publish`. Raises BusyError if another
    session keeps a row locked; earlier batches stay deleted.
    """
    db.settings.check_offline(PURGES)
    warnings = check_lower_bounds(db.settings)
    db = db.saying(MESSAGES)
    connection = db.connection
    with db.errors(), writer_lock(db):
        refuse_serving(db)
        connection.execute("set timezone to 'UTC'")
        connection.execute(sql.SQL("set lock_timeout to {}").format(LOCK_TIMEOUT))
        clock = read_clock(db, as_of)
        present = _present(db, plan, warnings)
        log = open_log(db, present, clock)
        rows = dict.fromkeys(log.ids, 0)
        for number, retained in enumerate(present):
            name, cutoff = retained.relation.name, clock.cutoffs[retained.retention_class]
            followers = [other for other in present if other.goes_with == name]
            for deleted in _delete(log, retained, followers, cutoff):
                rows = {relation: count + deleted.get(relation, 0) for relation, count in rows.items()}
                if progress:
                    progress(number, len(present), f"{name}: {rows[name]:,} rows deleted")
            log.finish(name)
    found = [
        Leaving(r.relation.name, r.retention_class, clock.cutoffs[r.retention_class], rows[r.relation.name])
        for r in present
    ]
    return PurgeReport(clock.as_of, found, warnings)


def _delete(log: PurgeLog, retained: Retained, followers: Sequence[Retained], cutoff: date) -> Iterator[dict[str, int]]:
    """Delete a relation's rows and those that go with them in batches; yields deleted rows by relation."""
    if retained.date is None:
        return
    etl, connection = log.db.settings.insights.etl, log.db.connection
    size = max(1, min(etl.default_batch_size, etl.max_batch_size // (1 + len(followers))))
    # After a crash of the server, what was deleted last may be there again, as the log says; the next purge deletes it.
    connection.execute("set synchronous_commit to off")
    for batch in leaving_batches(connection, retained, cutoff, size):
        yield from _delete_within(log, retained, followers, batch)
    connection.execute("set synchronous_commit to default")


def _delete_within(
    log: PurgeLog, retained: Retained, followers: Sequence[Retained], batch: Batch
) -> Iterator[dict[str, int]]:
    """Delete a batch in one transaction, or in several where the rows that go with it are too many for one.

    How many go with each row is known only when they are deleted: to count them first would cost as much. A batch that
    exceeds `etl.max_batch_size` is undone and halved (decision D216).
    """
    connection, limit = log.db.connection, log.db.settings.insights.etl.max_batch_size
    with connection.transaction() as transaction:  # a killed purge must not commit the batch that it was waiting for
        deleted = delete_batch(log, retained, followers, batch)
        is_whole = sum(deleted.values()) <= limit or deleted[retained.relation.name] == 1
        if not is_whole:
            raise Rollback(transaction)
    if is_whole:
        yield deleted
    else:
        for half in halves(connection, retained, batch):
            yield from _delete_within(log, retained, followers, half)


def _present(db: Database, plan: Sequence[Retained], warnings: list[str]) -> list[Retained]:
    """Return the relations that can be purged: they exist, as does the relation that they go with, if any.

    A relation that a view of the source dates is left out with a warning if that view is missing, or if the source has
    lost many rows: what looks unneeded then may be needed. The others are purged.
    """
    relations = {r.relation.name: identifier(r.relation) for r in plan}
    built = set(relations) - db.missing(relations)
    dated = {r.relation.name: r.dated_by for r in plan if r.dated_by and r.relation.name in built}
    undated = db.missing({name: identifier(view) for name, view in dated.items()})
    lost = vanished_rows(db) if dated else None
    for name, view in dated.items():
        if lost:
            reason = f"{view.name} reads rows that may be missing by mistake. {lost} The next load asks about them"
        elif name in undated:
            reason = f"{view.name}, which dates its rows, is not built. Run: insights build"
        else:
            continue
        warnings.append(f"{name} is not purged, because {reason}.")
        built.remove(name)
    return [r for r in plan if r.relation.name in built and (r.goes_with is None or r.goes_with in built)]
