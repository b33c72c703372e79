"""Copies the operational tables to another engine: what has changed, or with `reconcile` all rows (D282 to D284)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration.config.files import Settings
from orchestration.errors import ConflictError, FailedError, InsightsError, RefusedError
from orchestration.exports.audit import Trail
from orchestration.progress import Progress
from orchestration.replication.engine import REPLICATED, Copy, Loaded, place_of
from orchestration.replication.failures import as_insights_error
from orchestration.replication.plan import TablePlan, plan
from orchestration.replication.scratch import scratch_folder
from orchestration.replication.target import target_of
from orchestration.source_snapshot.parquet_files import read_table
from orchestration.source_snapshot.queries import table_selects
from orchestration.source_snapshot.reading import estimated_rows, messages, one_moment, source_of, timeline_of
from orchestration.source_snapshot.record import can_record, record_start, request
from orchestration.warehouse.connection import open_session
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.database import Database
from orchestration.warehouse.duckdb.file import Name, connected
from orchestration.warehouse.source.guard import Comparison, vanished
from orchestration.warehouse.transaction_lock import transaction_lock

EXPORT = "operational replication"
COMMAND = "insights replicate"
MESSAGES = messages("The source could not be read to its end ({kind}: {detail}). Nothing was written.")
FILE = Name("The file", "--to")
FROM_COPY = Comparison(
    "More than {share} of the rows that the copy has have vanished from", "the copy has {before}, the source {now}"
)
VANISHED = (
    "Nothing was written, because a missing row counts as deleted. Likely reasons: a policy (row-level security) on the"
    " table or on the table behind a view, a truncated table, an unfinished restore, another insights.source.schema. If"
    f" the rows were deleted on purpose, confirm it once: {COMMAND} --accept-vanished"
)


@dataclass(frozen=True)
class Wanted:
    """What to copy where: `to` and `schema` as in `target_of`, and the folder for temporary files, None for a default.

    `reconcile` reads all rows, also of tables whose changes can be found, and deletes those that the source no longer
    has; `accept_vanished` confirms that many rows were deleted. `unrecorded` is for a database that cannot record the
    copy in the audit of exports, and refused for others.
    """

    to: str | None = None
    schema: str | None = None
    work_dir: Path | None = None
    reconcile: bool = False
    accept_vanished: bool = False
    unrecorded: bool = False


@dataclass(frozen=True)
class TableReport:
    """How a table was copied: from which moment changes were read, None for all rows, and numbers of rows.

    `rows_written` were counted in the engine before they were merged; `rows_before` and `rows_after` are those of the
    copy.
    """

    table: str
    changed_since: datetime | None
    rows_read: int
    rows_written: int
    rows_before: int
    rows_after: int


@dataclass(frozen=True)
class Report:
    """One replication: the place of the copy, the moment at which its tables were read, and what was loaded."""

    place: str
    moment: datetime
    tables: list[TableReport]
    loaded: Loaded


def replicate(settings: Settings, wanted: Wanted, progress: Progress | None = None) -> Report:
    """Bring the copy of the operational tables up to date; returns what was read and written.

    All tables are read at one moment. A table is changed in one transaction of its engine; the state, from which the
    next replication goes on, is stored when all are. The start is committed to the audit of exports before the first
    row is read, and so is the end. Raises like `target_of`, `scratch_folder`, `connected`, `table_selects` and
    `Trail.write`; ConflictError if the copy is of another database or timeline, or has tables of another
    program; BusyError if another process replicates to the same place; RefusedError if too many rows have vanished, if
    the role may not read all rows, or if `unrecorded` is given where the audit can be written; MisconfiguredError if
    dlt lacks credentials or packages; UnavailableError or FailedError if the source or the engine fails.
    """
    settings.check_offline("Copies to other engines")
    target = target_of(settings, wanted.to, wanted.schema)
    try:
        with ExitStack() as stack:
            place = place_of(target)
            folder = stack.enter_context(scratch_folder(wanted.work_dir, place))
            file = stack.enter_context(connected(target.path, FILE, keeps_mode=True)) if target.path else None
            copy = Copy(target, place, folder, file)
            stack.enter_context(_only_one(settings, place))
            return _recorded(settings, wanted, copy, progress)
    except BaseException as error:
        raised = as_insights_error(error, target)
        if raised is error:
            raise
        raise raised from error


@contextmanager
def _only_one(settings: Settings, place: str) -> Iterator[None]:
    """Let no other process replicate from this database to the same place during a block; raises BusyError."""
    with closing(open_session(settings.postgres_url)) as connection:
        connection.execute("set local idle_in_transaction_session_timeout = 0")
        transaction_lock(connection, f"{COMMAND} {place}", f"{COMMAND} to {place}", 0)
        yield


def _recorded(settings: Settings, wanted: Wanted, copy: Copy, progress: Progress | None) -> Report:
    """Copy the tables, and record it in the audit of exports unless that is not wanted."""
    asked = request(EXPORT, None, copy.target.engine, copy.place)
    trail = Trail(settings, asked, url=settings.postgres_url, facts={"is_masked": False})
    is_recorded = not wanted.unrecorded
    try:
        with Database.open(settings, settings.postgres_url, messages=MESSAGES) as db:
            if wanted.unrecorded and can_record(db):
                is_recorded = True  # the refusal too
                raise RefusedError("This database can record the replication: leave out --unrecorded.")
            report = _copied(db, copy, wanted, trail if is_recorded else None, progress)
    except BaseException as error:
        if is_recorded:
            raised = as_insights_error(error, copy.target)
            ended = (
                raised
                if isinstance(raised, InsightsError)
                else FailedError(f"The copy broke off ({type(raised).__name__}).")
            )
            with suppress(InsightsError):  # what made it fail may be why it cannot be recorded
                trail.write_end(ended)
        raise
    if is_recorded:
        rows = sum(table.rows_written for table in report.tables)
        trail.facts |= {"row_count": rows, "byte_count": report.loaded.bytes, "sha256": report.loaded.sha256}
        try:
            trail.write("finished")
        except InsightsError as error:
            raise error.extended(
                f"The copy in {copy.place} is up to date; the audit has its start, but not its end."
            ) from error
    return report


def _copied(db: Database, copy: Copy, wanted: Wanted, trail: Trail | None, progress: Progress | None) -> Report:
    """Read the tables, check what was read, load it, and count what has arrived; `trail` records the start."""
    settings, tables = db.settings, contract_tables()
    names = [table.name for table in tables]
    copy.check_owner(names)
    source = {"database": source_of(db), "timeline": timeline_of(db)}
    source = {name: value for name, value in source.items() if value is not None}
    _check_source(copy, source, wanted)
    selects = table_selects(settings, settings.postgres_url, tables)
    overlap = timedelta(hours=settings.insights.etl.overlap_hours)
    before = copy.counts(names)
    known = {} if wanted.reconcile else copy.trusted(before)
    plans = plan(tables, selects, known, overlap, copy.outdated(tables))
    if trail:
        record_start(db, trail, "A replication", COMMAND)
    total, counted = estimated_rows(db, tables), dict.fromkeys(names, 0)

    def read(one: TablePlan) -> Iterator[pa.Table]:
        with db.errors():
            for batch in read_table(db.connection, one.query, REPLICATED):
                counted[one.name] += batch.num_rows
                if progress:
                    done = sum(counted.values())
                    progress(done, max(total, done), one.name)
                yield batch

    with one_moment(db) as moment:
        copy.write(plans, read, moment.isoformat(), source)
    whole = {one.name: counted[one.name] for one in plans if one.since is None}
    if not wanted.accept_vanished and (lost := vanished(whole, before, settings.insights.etl, FROM_COPY)):
        raise RefusedError(f"{lost} {VANISHED}")
    try:
        loaded = copy.load()
        written = copy.counts(names, are_staged=True)
    finally:
        copy.forget_staged()
    after = copy.counts(names)
    reports = [
        TableReport(one.name, one.since, *(rows[one.name] for rows in (counted, written, before, after)))
        for one in plans
    ]
    copy.confirm(moment.isoformat(), {one.table: one.rows_after for one in reports if _has_all(one)})
    _check_counts(reports, copy)
    return Report(copy.place, moment, reports, loaded)


def _check_source(copy: Copy, source: Mapping[str, Any], wanted: Wanted) -> None:
    """Raise ConflictError if the copy is of another database, or of rows that a recovery may have taken back."""
    if wanted.reconcile:
        return
    other = [name for name, value in source.items() if copy.state.get(name, value) != value]
    if "database" in other:
        raise ConflictError(
            f"The copy in {copy.place} is of another database than that of INSIGHTS_WAREHOUSE_URL. Name another place,"
            f" or, if Orgo's database has moved, compare all rows: {COMMAND} --reconcile"
        )
    if other:
        raise ConflictError(
            f"Orgo's database is on the timeline {source['timeline']}, and the copy in {copy.place} is of the timeline"
            f" {copy.state['timeline']}: it was recovered to a point in time, or a standby has taken over, so the copy"
            f" may have rows that the database no longer has. Compare all rows: {COMMAND} --reconcile"
        )


def _has_all(one: TableReport) -> bool:
    return one.rows_written == one.rows_read and (bool(one.changed_since) or one.rows_after == one.rows_read)


def _check_counts(reports: Sequence[TableReport], copy: Copy) -> None:
    """Raise FailedError if the engine does not have the rows that were read."""
    for one in reports:
        if not _has_all(one):
            raise FailedError(
                f"Of {one.table}, {one.rows_read:,} rows were read, {one.rows_written:,} have arrived in {copy.place},"
                f" and the copy has {one.rows_after:,}. See that nothing else writes there. The next {COMMAND} reads"
                " this table whole."
            )
