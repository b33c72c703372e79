"""`insights purge`: rows older than the retention of their class leave, in short transactions (specification 2.1, D8).

The cutoffs are logged before the first row goes, so that no load brings back what a killed purge has deleted or was
about to. The next purge deletes what that one left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from orchestration.errors import BusyError, NotBuiltError, RefusedError
from orchestration.retention.floors import check_floors
from orchestration.retention.log import PurgeLog, open_log, read_clock
from orchestration.retention.plan import Retained, RetentionClass
from orchestration.retention.rows import count_leaving, delete_batch, identifier, leaving_batches
from orchestration.warehouse.database import Database
from orchestration.warehouse.writer_lock import writer_lock

# A batch that cannot have its locks within this time gives up, instead of letting readers queue up behind it.
LOCK_TIMEOUT = "5s"
# A relation that lost this share of its rows is analyzed at once, as autovacuum would do later.
MUCH = 0.1
MESSAGES = {
    BusyError: f"Another session keeps rows locked for more than {LOCK_TIMEOUT} ({{detail}}). What is"
    " deleted so far stays deleted; run insights purge --yes again for the rest.",
    RefusedError: "This user may not purge ({detail}). INSIGHTS_WAREHOUSE_URL must be that of the role that loads"
    " (insights.warehouse.write_user); after an upgrade, run insights init once more.",
}


@dataclass(frozen=True)
class Leaving:
    """One relation: rows dated before the cutoff leave, or have left."""

    relation: str
    retention_class: RetentionClass
    cutoff: date
    rows: int


@dataclass(frozen=True)
class PurgeReport:
    """What a purge did or would do, and the broken invariants that nothing enabled here depends on."""

    as_of: date
    relations: list[Leaving]
    warnings: list[str]


def preview(db: Database, plan: Sequence[Retained], as_of: date | None = None) -> PurgeReport:
    """Count what `purge` would delete, in a transaction that cannot write. Raises as `purge` does."""
    warnings = check_floors(db.settings)
    db = db.saying(MESSAGES)
    connection = db.connection
    with db.errors(), connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        connection.execute("set local timezone to 'UTC'")
        clock = read_clock(db, as_of)
        found = []
        for retained in _present(db, plan):
            leader = next((other for other in plan if other.relation.name == retained.goes_with), None)
            cutoff = clock.cutoffs[retained.retention_class]
            rows = count_leaving(connection, retained, leader, cutoff)
            found.append(Leaving(retained.relation.name, retained.retention_class, cutoff, rows))
    return PurgeReport(clock.as_of, found, warnings)


def purge(db: Database, plan: Sequence[Retained], as_of: date | None = None) -> PurgeReport:
    """Delete what is out of retention as of a UTC date, by default today, and log it in `<schema>_ops.purge_log`.

    The connection of `db` is the ETL role's, in autocommit mode, and for this alone: its time zone and lock timeout are
    set. The writer lock is held throughout. Each batch of `etl.default_batch_size` rows is a transaction of its own,
    with the rows that go with them, and never more than `etl.max_batch_size` rows in all.

    Raises, with no row touched, RefusedError when an enabled review needs what would go, BusyError when another process
    writes, BadInputError when the date is in the future and NotPreparedError without `insights init`; and BusyError
    when another session keeps a row locked, with the batches so far deleted.
    """
    warnings = check_floors(db.settings)
    db = db.saying(MESSAGES)
    connection = db.connection
    with db.errors(), writer_lock(connection):
        connection.execute("set timezone to 'UTC'")
        connection.execute(sql.SQL("set lock_timeout to {}").format(LOCK_TIMEOUT))
        clock = read_clock(db, as_of)
        present = _present(db, plan)
        log = open_log(db, present, clock)
        rows = dict.fromkeys(log.ids, 0)
        for retained in present:
            name, cutoff = retained.relation.name, clock.cutoffs[retained.retention_class]
            followers = [other for other in present if other.goes_with == name]
            for deleted in _delete(log, retained, followers, cutoff):
                rows = {relation: count + deleted.get(relation, 0) for relation, count in rows.items()}
            _analyze(db, retained, rows[name])
            log.finish(name)
    found = [
        Leaving(r.relation.name, r.retention_class, clock.cutoffs[r.retention_class], rows[r.relation.name])
        for r in present
    ]
    return PurgeReport(clock.as_of, found, warnings)


def _delete(log: PurgeLog, retained: Retained, followers: Sequence[Retained], cutoff: date) -> Iterator[dict[str, int]]:
    """Delete a relation's rows batch by batch, with what goes with them; the rows of each batch by relation."""
    if retained.date is None:
        return
    etl, connection = log.db.settings.insights.etl, log.db.connection
    size = max(1, min(etl.default_batch_size, etl.max_batch_size // (1 + len(followers))))
    for batch in leaving_batches(connection, retained, cutoff, size):
        with connection.transaction():
            deleted = delete_batch(connection, retained, followers, batch, cutoff)
            for relation, count in deleted.items():
                log.count(relation, count)
        yield deleted


def _present(db: Database, plan: Sequence[Retained]) -> list[Retained]:
    """The relations that were built here, and so was what they go with.

    Raises NotBuiltError when one lacks the view that dates it.
    """
    names = {r.relation.name: r.relation for r in plan} | {r.dated_by.name: r.dated_by for r in plan if r.dated_by}
    built = set()
    for name, relation in names.items():
        if db.exists(identifier(relation)):
            built.add(name)
    present = [r for r in plan if r.relation.name in built and (r.goes_with is None or r.goes_with in built)]
    for retained in present:
        if retained.dated_by and retained.dated_by.name not in built:
            raise NotBuiltError(
                f"{retained.relation.name} cannot be purged without {retained.dated_by.name}, which says what is still"
                " needed and was not built yet. Run first: insights build"
            )
    return present


def _analyze(db: Database, retained: Retained, rows: int) -> None:
    """New statistics for a relation that lost much; vacuum is left to autovacuum. It waits for no lock."""
    name = identifier(retained.relation)
    before = db.value("select reltuples from pg_class where oid = to_regclass(%s)", [name.as_string()])
    if rows and before is not None and rows >= before * MUCH:
        db.execute(sql.SQL("analyze (skip_locked) {}").format(name))
