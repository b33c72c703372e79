"""Writes and reads the audit, `insights_ops.export_audit`: every export attempt with its outcome, also refused ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import (
    ConflictError,
    FailedError,
    InsightsError,
    NotBuiltError,
    NotFoundError,
    NotPreparedError,
    RefusedError,
    UnavailableError,
)
from orchestration.exports.request import Request
from orchestration.exports.slots import running
from orchestration.warehouse.database import Database
from orchestration.warehouse.ids import canonical_id
from orchestration.warehouse.translation import Messages

Event = Literal["started", "finished", "failed", "refused"]
State = Literal["running", "finished", "failed", "refused", "aborted"]
LENGTH = 500  # maximum stored characters of user input
FAILED = "The audit of exports failed: {detail}"
NOT_PREPARED = "This database has no audit of exports, or that of an older release. Run: insights init"
MESSAGES: Messages = {
    NotPreparedError: NOT_PREPARED,
    NotBuiltError: NOT_PREPARED,  # a column of this release is missing
    RefusedError: FAILED,
    UnavailableError: FAILED,
    FailedError: FAILED,
}


@dataclass
class Trail:
    """Writes the events of one export attempt, each in its own session and transaction.

    `facts` are values by column of the table; they grow as the attempt proceeds. `url` is the warehouse, by default
    that of exports.
    """

    settings: Settings
    request: Request
    url: str | None = None
    export_id: UUID = field(default_factory=uuid4)
    facts: dict[str, Any] = field(default_factory=dict)
    last: Event | None = None

    def write(self, event: Event, reason: str | None = None, check: Callable[[Database], None] | None = None) -> None:
        """Write an event with all facts so far; raises InsightsError if that fails.

        `check` runs first, in the transaction of the event; the event is not written if it raises.
        """
        values = {**self._given(), **self.facts, "export_id": self.export_id, "event": event, "reason": reason}
        query = sql.SQL("insert into {} ({}) values ({})")
        columns = sql.SQL(", ").join(map(sql.Identifier, values))
        places = sql.SQL(", ").join(map(sql.Placeholder, values))
        with (
            Database.open(self.settings, self.url or self.settings.export_url, messages=MESSAGES) as db,
            db.connection.transaction(),
        ):
            if check:
                check(db)
            db.execute(query.format(db.ops("export_audit"), columns, places), values)
        self.last = event

    def write_end(self, error: InsightsError) -> None:
        """Record the error that ended the attempt: failed if it had started, else refused. Later calls do nothing."""
        if self.last in (None, "started"):
            self.write("failed" if self.last else "refused", _kept(str(error)))

    def _given(self) -> dict[str, Any]:
        request, exports = self.request, self.settings.insights.exports
        return {
            "requested_by": _kept(request.user),
            "organization": _kept(request.organization),
            "export_name": _kept(request.name),
            "format": _kept(request.file_format),
            "output": _kept(request.output),
            "from_date": request.since,
            "to_date": request.until,
            "is_masked": exports.pii_masking_enabled,
            "config_version": self.settings.version,
            "environment": self.settings.environment,
        }


@dataclass(frozen=True)
class Attempt:
    """One export attempt in the audit: the request, its state, and the time of its last event."""

    export_id: UUID
    state: State
    logged_at: datetime
    requested_by: str
    organization: str
    export_name: str
    format: str
    output: str
    from_date: date
    to_date: date
    is_masked: bool
    masking_key_id: str | None
    row_count: int | None
    byte_count: int | None
    reason: str | None


def newest_attempts(db: Database, limit: int, organization: str | None) -> list[Attempt]:
    """Return at most `limit` attempts, the newest first; `organization` is a slug or an id, also an unknown one.

    An attempt that started and has no end is aborted if its session has ended, else running; `own_exports` in the
    database says the same.
    """
    db = db.saying(MESSAGES)
    query = sql.SQL(
        """
        select distinct on (export_id)
            export_audit_id, export_id, event, logged_at, requested_by, organization, export_name, format, output,
            from_date, to_date, is_masked, masking_key_id, row_count, byte_count, reason
        from {table}
        where {given}::text is null or organization = {given} or organization_id = {of}::uuid
        order by export_id, export_audit_id desc
        """
    ).format(table=db.ops("export_audit"), given=organization and _kept(organization), of=_id_of(db, organization))
    query = sql.SQL("select * from ({}) as attempts order by export_audit_id desc limit {}").format(query, limit)
    # The second read sees the end of an export that ends in between, so that it is not taken for aborted.
    begun = [row["export_id"] for row in db.records(query) if row["event"] == "started"]
    alive = running(db, begun)
    gone = set(begun) - alive
    return [_attempt(row, gone) for row in db.records(query)]


def own_attempts(db: Database, organization_id: str, user: str, limit: int) -> list[dict[str, Any]]:
    """Return at most `limit` attempts of a user for an organization as the read-only role, the newest first.

    The keys are those of Attempt without request, key and reason, and `sha256`. Raises NotPreparedError if the database
    is of an older release.
    """
    query = sql.SQL(
        "select attempts.* from {organizations} as organizations"
        " cross join lateral {own_exports}(organizations.organization_id, organizations.slug, %s, %s) as attempts"
        " where organizations.organization_id = %s"
    ).format(organizations=db.mart("dim_organizations"), own_exports=db.ops("own_exports"))
    return db.saying(MESSAGES).records(query, [_kept(user), limit, organization_id])


def count_attempts(db: Database, organization: str | None) -> int:
    """Return the number of attempts of an organization (a slug or an id), or of all."""
    query = sql.SQL(
        "select count(distinct export_id) from {table}"
        " where {given}::text is null or organization = {given} or organization_id = {of}::uuid"
    ).format(table=db.ops("export_audit"), given=organization and _kept(organization), of=_id_of(db, organization))
    return int(db.saying(MESSAGES).value(query))


def previous_key_id(db: Database, organization_id: UUID) -> str | None:
    """Return the id of the key that masked the newest finished export of an organization; None if there is none."""
    query = sql.SQL(
        "select masking_key_id from {} where organization_id = %s and event = 'finished' and masking_key_id is not null"
        " order by export_audit_id desc limit 1"
    )
    found: str | None = db.saying(MESSAGES).value(query.format(db.ops("export_audit")), [organization_id])
    return found


def was_finished(db: Database, request: Request) -> bool:
    """Return whether an export was made as it is requested, under the same name and for the same days."""
    query = sql.SQL(
        "select exists (select from {} where event = 'finished' and export_name = %s and organization = %s"
        " and format = %s and from_date = %s and to_date = %s and requested_by = %s and right(output, length(%s)) = %s)"
    )
    file = f"{request.output}.{request.file_format}"
    asked = [request.name, _kept(request.organization), request.file_format, request.since, request.until]
    found: bool = db.saying(MESSAGES).value(
        query.format(db.ops("export_audit")), [*asked, _kept(request.user), file, file]
    )
    return found


def _id_of(db: Database, given: str | None) -> str | None:
    """Return the id of an organization; the given id, or None for a slug, if dim_organizations does not have it."""
    if given is None:
        return None
    try:
        return str(db.organization(given))
    except (NotFoundError, ConflictError, NotBuiltError):
        return canonical_id(given)


def _attempt(row: dict[str, Any], gone: set[UUID]) -> Attempt:
    event = row.pop("event")
    del row["export_audit_id"]
    state: State = event if event != "started" else "aborted" if row["export_id"] in gone else "running"
    return Attempt(state=state, **row)


def _kept(text: str) -> str:
    """Return user input as PostgreSQL can store it: valid UTF-8 without NUL, truncated."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")[:LENGTH]
