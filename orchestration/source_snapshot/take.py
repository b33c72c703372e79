"""Takes a snapshot: all operational tables at one moment, in the files that DuckDB builds from (decision D248)."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial as with_arguments
from pathlib import Path

import pyarrow as pa
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import (
    ConflictError,
    FailedError,
    InsightsError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from orchestration.exports.audit import Trail
from orchestration.progress import Progress
from orchestration.source_snapshot.description import Description, Table, table_file
from orchestration.source_snapshot.folder import new_files, private_file, publish
from orchestration.source_snapshot.parquet_files import unreadable, write_table
from orchestration.source_snapshot.queries import TableQuery, table_queries
from orchestration.source_snapshot.reading import estimated_rows, messages, one_moment, source_of
from orchestration.source_snapshot.record import can_record, record_start, request
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.database import Database
from orchestration.warehouse.ids import canonical_id
from orchestration.warehouse.translation import first_line

EXPORT = "operational snapshot"
MESSAGES = messages("The snapshot was interrupted ({kind}: {detail}). Nothing was written.")


@dataclass(frozen=True)
class Wanted:
    """What to take: the organization (slug or id; None for all), and whether an older snapshot may be replaced.

    `unrecorded` is for a database that cannot record it in the audit of exports, and refused for others.
    """

    organization: str | None = None
    replace: bool = False
    unrecorded: bool = False


def take_snapshot(settings: Settings, folder: Path, wanted: Wanted, progress: Progress | None = None) -> Description:
    """Write the operational tables to a folder completely, or leave nothing behind; returns what was written.

    The start is committed to the audit of exports before the first byte is written, and so is the end. Raises like
    `new_files` and `table_queries`; NotFoundError for an unknown organization; RefusedError if the role may not read
    all rows, or if `unrecorded` is given where the audit can be written; UnavailableError if the disk is full or the
    database does not respond; and like `Trail.write`, also if the end of a whole snapshot could not be recorded.
    """
    settings.check_offline("Snapshots")
    url, tables = settings.postgres_url, contract_tables()
    asked = request(EXPORT, wanted.organization, "parquet", str(folder.absolute()))
    trail = Trail(settings, asked, url=url, facts={"is_masked": False})
    is_recorded = not wanted.unrecorded
    with new_files(folder, [table.name for table in tables], replace=wanted.replace) as partial:
        try:
            with Database.open(settings, url, messages=MESSAGES) as db:
                if wanted.unrecorded and can_record(db):
                    is_recorded = True  # the refusal too
                    raise RefusedError("This database can record the snapshot: leave out --unrecorded.")
                organization = _organization(db, wanted.organization)
                trail.facts["organization_id"] = organization[0] if organization else None
                queries = table_queries(settings, url, tables, organization[0] if organization else None)
                if is_recorded:
                    record_start(db, trail, "A snapshot", "insights snapshot")
                source = source_of(db)
                moment, written = _write(db, queries, partial, progress)
            description = Description(
                moment=moment.isoformat(),
                release=settings.version,
                environment=settings.environment,
                tables=written,
                organization_id=organization[0] if organization else None,
                organization=organization[1] if organization else None,
                audit_id=str(trail.export_id) if is_recorded else None,
                source=source,
            )
            publish(partial, description)
        except BaseException as error:
            ended = _as_insights_error(error, folder)
            if is_recorded:
                with suppress(InsightsError):  # what made the snapshot fail may be why it cannot be recorded
                    trail.write_end(ended)
            if isinstance(error, (InsightsError, OSError, pa.ArrowException)):
                raise ended from error
            raise
    if is_recorded:
        _record_end(trail, description, folder)
    return description


def _record_end(trail: Trail, description: Description, folder: Path) -> None:
    """Record a whole snapshot; raises like `Trail.write`, with what has happened."""
    digest = hashlib.sha256(description.text().encode()).hexdigest()  # it has those of the files
    trail.facts |= {"row_count": description.rows, "byte_count": description.bytes, "sha256": digest}
    try:
        trail.write("finished")
    except InsightsError as error:
        raise error.extended(
            f"The snapshot in {folder} is whole and can be used; the audit has its start, but not its end."
        ) from error


def _organization(db: Database, given: str | None) -> tuple[str, str] | None:
    """Return id and slug of an organization of the operational table; None for all."""
    if given is None:
        return None
    query = sql.SQL("select id::text, slug::text from {} where slug::text = %s or id::text = %s").format(
        db.source("organizations")
    )
    rows: list[tuple[str, str]] = db.rows(query, [given, canonical_id(given)])
    if len(rows) > 1:
        raise ConflictError(f"Several organizations have the slug {given!r}: give the id of one.")
    if not rows:
        raise NotFoundError(f"The operational database has no organization {given!r}: give its slug or id.")
    return rows[0]


def _write(
    db: Database, queries: list[TableQuery], partial: Path, progress: Progress | None
) -> tuple[datetime, dict[str, Table]]:
    """Write all tables in one transaction that sees one moment; returns that moment and the files."""
    written: dict[str, Table] = {}
    total, done = estimated_rows(db, [query.table for query in queries]), 0

    def step(table: str, rows: int) -> None:
        if progress:
            progress(done + rows, max(total, done + rows), table)

    with one_moment(db) as moment:
        for query in queries:
            file = partial / table_file(query.table.name)
            private_file(file)
            rows = write_table(db.connection, query, file, with_arguments(step, query.table.name))
            with file.open("rb") as whole:
                digest = hashlib.file_digest(whole, "sha256").hexdigest()
                os.fsync(whole.fileno())
            written[query.table.name] = Table(rows, file.stat().st_size, digest)
            done += rows
    return moment, written


def _as_insights_error(error: BaseException, folder: Path) -> InsightsError:
    if isinstance(error, InsightsError):
        return error
    if isinstance(error, pa.ArrowInvalid):
        return FailedError(f"{unreadable(error)} Nothing was written.")
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno else first_line(error)
        return UnavailableError(f"The snapshot cannot be written to {folder}: {reason}. Nothing was written.")
    return FailedError(f"The snapshot was interrupted ({type(error).__name__}: {first_line(error)}).")
