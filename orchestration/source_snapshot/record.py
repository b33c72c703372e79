"""Records in the audit of exports that rows of the operational tables leave: in a snapshot, or to another engine."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, date, datetime, timedelta

from psycopg import sql

from orchestration.errors import InsightsError
from orchestration.exports.audit import Trail
from orchestration.exports.request import Request
from orchestration.exports.slots import mark_running
from orchestration.warehouse.database import Database

EVERY_ORGANIZATION = "*"
FIRST_DAY = date(1970, 1, 1)


def request(name: str, organization: str | None, file_format: str, output: str) -> Request:
    """Return an attempt for the audit: the account of this machine takes all days until today.

    `name` stands where an export has its name. `organization` is None for all of them.
    """
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        account = str(os.geteuid())
    by = f"{account}@{socket.gethostname()}"
    until = datetime.now(UTC).date() + timedelta(days=1)
    return Request(name, organization or EVERY_ORGANIZATION, FIRST_DAY, until, file_format, by, output)


def record_start(db: Database, trail: Trail, what: str, command: str) -> None:
    """Record that data begins to leave; raises like `Trail.write`, with what to do.

    `what` begins a sentence, such as `A snapshot`; `command` is the whole name of the command.
    """
    try:
        mark_running(db, trail.export_id)
        trail.write("started")
    except InsightsError as error:
        raise error.extended(
            f"{what} is recorded, because personal data leaves the server. Where that is not possible, as on a standby"
            f" or in a database that insights init has not prepared: {command} --unrecorded"
        ) from error


def can_record(db: Database) -> bool:
    """Return whether this role may write the audit of exports in this database, and the database may be written."""
    query = sql.SQL(
        "select not pg_is_in_recovery() and not current_setting('transaction_read_only')::boolean"
        " and coalesce(has_any_column_privilege(to_regclass({}), 'insert'), false)"
    ).format(db.ops("export_audit").as_string(db.connection))
    return bool(db.value(query))
