"""Runs one export: checks the request, takes a slot, counts, masks and streams the rows, and writes the audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from psycopg import IsolationLevel

from orchestration.config.files import Settings
from orchestration.errors import FailedError, InsightsError, RefusedError, UnavailableError
from orchestration.exports.audit import Trail, previous_key_id
from orchestration.exports.definitions import Definition
from orchestration.exports.masking import key_blocks, key_id, send_blocks
from orchestration.exports.output import Output, Written
from orchestration.exports.query import Query, build_query, read_load, visible_as_rows
from orchestration.exports.quota import quota_check
from orchestration.exports.relations import Scope
from orchestration.exports.request import Request, check_user, find_definition
from orchestration.exports.sidecar import sidecar
from orchestration.exports.sinks import Sink, open_sink
from orchestration.exports.slots import mark_running, take_slot
from orchestration.exports.typed import MOST_ROWS, TYPED, typed_format
from orchestration.warehouse.database import Database
from orchestration.warehouse.translation import first_line

Progress = Callable[[int, int], None]  # called with the rows written so far and the total
PROGRESS_ROWS = 1000  # between two calls
BROKE_OFF = dict.fromkeys((UnavailableError, FailedError), "The export was interrupted ({kind}: {detail}).")

# The search path keeps user-defined functions and operators out; formats do not depend on the environment; the server
# notices a killed client even while it counts.
_SESSION = """
    set search_path = pg_catalog;
    set client_encoding = 'UTF8';
    set timezone = 'UTC';
    set datestyle = 'ISO';
    set intervalstyle = 'iso_8601';
    set client_connection_check_interval = '1s'
"""


@dataclass(frozen=True)
class Exported:
    """A finished export: location, number of rows, size and SHA-256, and the masked columns with their methods.

    `key_id` is the id of the key of the masks, None if nothing is masked; `previous_key_id` that of the organization's
    previous masked export, None if there is none.
    """

    location: str
    rows: int
    written: Written
    masked_columns: list[str]
    key_id: str | None = None
    previous_key_id: str | None = None


def run_export(
    settings: Settings, definitions: dict[str, Definition], request: Request, progress: Progress | None = None
) -> Exported:
    """Run an export completely, or leave nothing behind (specification, section 2.4; decision D12).

    Every attempt is in the audit; its start is committed there before the first byte is written. Raises InsightsError
    if the request is invalid, not allowed or too large, if the user has no free slot, and if the export is interrupted.
    """
    settings.check_offline("Exports")
    trail = Trail(settings, request)
    try:
        with Database.open(settings, settings.export_url, messages=BROKE_OFF) as db:
            return _export(db, definitions, trail, progress)
    except BaseException as error:
        ended = _as_insights_error(error)
        try:
            trail.write_end(ended)
        except InsightsError as second:
            ended = ended.extended(f"The audit has no record of this: {second}")
        if isinstance(error, InsightsError):
            raise ended from error
        raise


def _export(db: Database, definitions: dict[str, Definition], trail: Trail, progress: Progress | None) -> Exported:
    settings, connection, request = db.settings, db.connection, trail.request
    db.execute(_SESSION)
    definition = find_definition(definitions, request)
    if request.file_format in TYPED:
        typed_format(request.file_format)  # a missing library is an error before anything is written
    organization_id = db.organization(request.organization)
    trail.facts["organization_id"] = organization_id
    user_id = check_user(db, organization_id, request.user)
    take_slot(db, organization_id, user_id, _limit(settings, "max_parallel_exports_per_user"))
    mark_running(db, trail.export_id)
    is_masked = settings.insights.exports.pii_masking_enabled
    if is_masked:
        send_blocks(db, key_blocks(settings.export_key, organization_id))
    connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
    with connection.transaction():  # one snapshot, so that the count matches the exported rows
        load, visible = read_load(db, definition), visible_as_rows(settings)
        scope = Scope(organization_id, request.since, request.until, visible, load, db.value("select now()"))
        query = build_query(settings, definition, scope, is_masked=is_masked)
        rows = _count(db, query, request.file_format)
        used, previous = _key_ids(db, query, organization_id)
        trail.facts |= {"row_count": rows, "masked_columns": query.masked_columns, "masking_key_id": used}
        sink = open_sink(settings, request.output, request.file_format)
        try:
            trail.write("started", check=quota_check(organization_id, user_id, rows, _daily_limit(settings)))
            written = _stream(db, query, request.file_format, sink, _steps(progress, rows))
            if progress:
                progress(rows, rows)
        except BaseException:
            sink.abort()
            raise
    try:
        location = sink.commit(
            sidecar(
                settings,
                request,
                export_id=trail.export_id,
                scope=scope,
                query=query,
                masking_key_id=used,
                rows=rows,
                written=written,
            )
        )
    except BaseException:
        sink.abort()
        raise
    trail.facts |= {"byte_count": written.bytes, "sha256": written.sha256, "output": location}
    try:
        trail.write("finished")
    except InsightsError as error:
        raise type(error)(f"The export is complete ({location}), but the audit has no record of it: {error}") from error
    return Exported(location, rows, written, query.masked_columns, used, previous)


def _key_ids(db: Database, query: Query, organization_id: UUID) -> tuple[str | None, str | None]:
    """Return the id of the key of this export and that of the organization's previous one, if columns are masked."""
    if not query.masked_columns:
        return None, None
    return key_id(db.settings.export_key), previous_key_id(db, organization_id)


def _count(db: Database, query: Query, file_format: str) -> int:
    """Return the number of rows to export; raises RefusedError above `exports.max_rows_per_export` or the format's."""
    most = _limit(db.settings, "max_rows_per_export")
    rows = query.count(db, at_most=most + 1)
    if rows > most:
        raise RefusedError(
            f"The export has more than {most:,} rows, the limit of exports.max_rows_per_export. Nothing was written."
            " Request a shorter range."
        )
    if rows > (held := MOST_ROWS.get(file_format, rows)):
        raise RefusedError(
            f"The export has {rows:,} rows, and a worksheet of .{file_format} holds {held:,} below its header."
            " Nothing was written. Request a shorter range, or another format."
        )
    return rows


def _stream(db: Database, query: Query, file_format: str, sink: Sink, step: Callable[[int], None]) -> Written:
    """Stream the rows from the server to the sink without keeping them in memory."""
    output = Output(sink, compress=file_format == "csv.gz")
    if file_format in TYPED:
        with db.errors(), typed_format(file_format)(query.columns, output) as add:
            for number, row in enumerate(query.values(db, file_format)):
                add(row)
                if number % PROGRESS_ROWS == 0:
                    step(number)
        return output.finish()
    statement = query.copy_statement(file_format)
    with db.errors(), db.connection.cursor() as cursor, cursor.copy(statement) as copy:
        for number, line in enumerate(copy):
            output.write(bytes(line))
            if number % PROGRESS_ROWS == 0:
                step(number)
    return output.finish()


def _steps(progress: Progress | None, rows: int) -> Callable[[int], None]:
    return (lambda done: progress(done, rows)) if progress else (lambda _done: None)


def _daily_limit(settings: Settings) -> int | None:
    limit = settings.insights.exports.max_rows_per_user_per_day
    return None if limit is None else limit.of(settings.environment)


def _limit(settings: Settings, name: str) -> int:
    limit: int = getattr(settings.insights.exports, name).of(settings.environment)
    return limit


def _as_insights_error(error: BaseException) -> InsightsError:
    """Return the error for the audit; any other exception is reduced to its type and first line."""
    if isinstance(error, InsightsError):
        return error
    return FailedError(f"The export was interrupted ({type(error).__name__}: {first_line(error)}).")
