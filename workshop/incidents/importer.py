"""Import an incident log into the operational tables in one transaction, and report the rejected rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import LiteralString

from psycopg import Connection, Cursor, sql
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from orchestration.errors import BadInputError, ConflictError, InsightsError, NotPreparedError
from orchestration.warehouse.connection import SEARCH_PATH
from orchestration.warehouse.transaction_lock import transaction_lock
from orchestration.warehouse.translation import translating
from workshop.incidents.columns import DateFormat
from workshop.incidents.dates import date_format
from workshop.incidents.errors import IncidentFileError
from workshop.incidents.fitting import fit
from workshop.incidents.history import add_earlier_rows, stage_events
from workshop.incidents.mapping import create_functions
from workshop.incidents.merge import TableCount, merge
from workshop.incidents.source import IncidentLog, open_log
from workshop.incidents.staging import check_rows, copy_log
from workshop.incidents.targets import stage_names, stage_work

# Called with the name of the current step and its completed share, from 0 to 1.
Progress = Callable[[str, float], None]

READING = "reading the file"
CHECKING = "checking its rows"
STAGING = "working out tasks, cases and events"
PEOPLE = "writing organization, people and roles"
WORK = "writing cases and tasks"
EVENTS = "writing task events"

# The staged relation for each table. Existing rows are not updated, because users may have edited the names.
_NAMES = {
    "organizations": "incident_organization",
    "organization_profiles": "incident_profile",
    "user_accounts": "incident_users",
    "person_profiles": "incident_persons",
    "roles": "incident_roles",
}
_WORK = {"cases": "incident_cases", "tasks": "incident_tasks"}
_STAGED = {**_NAMES, **_WORK, "task_events": "incident_file_events"}
TABLES = tuple(_STAGED)

# What the import depends on: the defaults of a database are made for an application. After a wait for another import,
# this one must see its rows.
_SESSION = (
    "set transaction isolation level read committed read write",
    "set local statement_timeout = 0",
    "set local idle_in_transaction_session_timeout = 0",
    "set local lock_timeout = '60s'",
    "set local timezone = 'UTC'",
    "set local datestyle = 'ISO, MDY'",
    "set local intervalstyle = 'postgres'",
    "set local standard_conforming_strings = on",
    "set local transform_null_equals = off",
    "set local work_mem = '64MB'",
)
LOCK_NAME = "orgo insights load-incidents"
# Seconds to wait for another import, whose rows this one then sees.
PATIENCE = 60

_REFUSED = {InsightsError: "the database refused the import, nothing was written: {detail}"}

_REPORT = sql.SQL(
    """
copy (
    select {name} as file, line, reason, value, expected as what_would_be_right from incident_rejects order by line
) to stdout (format csv, header)
"""
)


@dataclass(frozen=True)
class ImportResult:
    """The result of an import.

    `rows`: data rows of the file; each counts as loaded, merged or rejected in `tables["task_events"]`.
    `revised_events`: events of earlier imports that changed because a new row precedes them.
    `ignored_columns`: columns of the file that are not part of an incident log.
    """

    rows: int
    tables: dict[str, TableCount]
    revised_events: int
    ignored_columns: tuple[str, ...]


def import_incidents(  # noqa: PLR0913 - all but three are optional, and given by name
    connection: Connection[TupleRow],
    file: Path,
    *,
    report: Path,
    schema: str = "public",
    dates: DateFormat | None = None,
    progress: Progress = lambda step, share: None,
) -> ImportResult:
    """Import the incident log `file` (csv, or a zip of one) into the operational tables of `schema`.

    The import runs in one transaction, which it commits, so `connection` must not be in a transaction. `report` (csv)
    receives every rejected row once the import is committed. `dates` is the format of the dates; by default, the dates
    of the file must decide it. Nothing was written if it raises: IncidentFileError
    for the file, BadInputError for the report, NotPreparedError if tables or columns are missing, BusyError if
    another session holds the lock of imports for a minute, or the translated error of the database.
    """
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise ConflictError("the connection is in a transaction: commit it first, the import needs its own")
    unfinished = report.with_name(report.name + ".part")
    try:
        _create_report(unfinished)
        with translating(_REFUSED), open_log(file) as log, connection.transaction(), connection.cursor() as cursor:
            _prepare(cursor, schema)
            result = _load(cursor, log, schema, dates, progress)
            _write_report(cursor, log.name, unfinished)
        unfinished.replace(report)
    finally:
        unfinished.unlink(missing_ok=True)
    return result


def _create_report(report: Path) -> None:
    try:
        report.touch()
    except OSError as error:
        raise BadInputError(f"the report {report} cannot be written: {error.strerror}") from error


def _prepare(cursor: Cursor[TupleRow], schema: str) -> None:
    """Set up the session for the transaction. Raises NotPreparedError if `schema` lacks an operational table."""
    for setting in _SESSION:
        cursor.execute(setting)
    # Others may create functions and operators in the schema of the tables (decision D150).
    cursor.execute("select set_config('search_path', %s, true)", (SEARCH_PATH,))
    missing = cursor.execute(
        "select name from unnest(%s::text[]) as name where to_regclass(format('%%I.%%I', %s::text, name)) is null",
        (list(TABLES), schema),
    ).fetchall()
    if missing:
        raise NotPreparedError(
            f"the schema {schema} of the database {cursor.connection.info.dbname} lacks the tables "
            f"{', '.join(name for (name,) in missing)}; the import needs an operational Orgo database"
        )
    transaction_lock(cursor.connection, LOCK_NAME, "importing incidents", PATIENCE)
    create_functions(cursor)


def _load(
    cursor: Cursor[TupleRow], log: IncidentLog, schema: str, dates: DateFormat | None, progress: Progress
) -> ImportResult:
    copy_log(cursor, log, lambda share: progress(READING, share))
    rows = _count(cursor, "select count(*) from incident_raw")
    if rows == 0:
        raise IncidentFileError(f"{log.name} has a header and no rows; an incident log must have one row per update")
    progress(CHECKING, 0)
    check_rows(cursor, date_format(cursor, log.name, dates))
    add_earlier_rows(cursor, schema)
    progress(STAGING, 0)
    stage_names(cursor, schema)
    stage_work(cursor, schema)
    stage_events(cursor)
    fits = fit(cursor, schema, _STAGED)
    progress(PEOPLE, 0)
    tables = {table: merge(cursor, fits[table], update=False) for table in _NAMES}
    progress(WORK, 0)
    tables |= {table: merge(cursor, fits[table], update=True) for table in _WORK}
    progress(EVENTS, 0)
    events = merge(cursor, fits["task_events"], update=True)
    earlier = replace(fits["task_events"], staged="incident_earlier_events")
    revised = merge(cursor, earlier, update=True).updated
    rejected = _count(cursor, "select count(*) from incident_rejects")
    repeated = _count(cursor, "select count(*) from incident_repeats where identical")
    tables["task_events"] = replace(events, rejected=rejected, repeated=repeated)
    progress(EVENTS, 1)
    return ImportResult(rows, tables, revised, log.ignored)


def _count(cursor: Cursor[TupleRow], query: LiteralString) -> int:
    row = cursor.execute(query).fetchone()
    return int(row[0]) if row else 0


def _write_report(cursor: Cursor[TupleRow], name: str, report: Path) -> None:
    with report.open("wb") as out, cursor.copy(_REPORT.format(name=sql.Literal(name))) as rows:
        for block in rows:
            out.write(block)
