"""`insights_ops.export_audit`: every try to export and what became of it, refused ones too."""

from __future__ import annotations

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
from orchestration.warehouse.organizations import organization_id
from orchestration.warehouse.translation import Messages

Event = Literal["started", "finished", "failed", "refused"]
State = Literal["running", "finished", "failed", "refused", "aborted"]
LENGTH = 500  # characters of what somebody typed that are kept
FAILED = "The audit of exports failed: {detail}"
MESSAGES: Messages = {
    NotPreparedError: "This database has no audit of exports yet. Run: insights init",
    RefusedError: FAILED,
    UnavailableError: FAILED,
    FailedError: FAILED,
}


@dataclass
class Trail:
    """Writes what becomes of one try, each event in a session and a transaction of its own.

    `known` grows as the try goes on: columns of the table and their values.
    """

    settings: Settings
    request: Request
    export_id: UUID = field(default_factory=uuid4)
    known: dict[str, Any] = field(default_factory=dict)
    last: Event | None = None

    def write(self, event: Event, reason: str | None = None) -> None:
        """Write one event with all that is known; raises InsightsError when that fails."""
        values = {**self._given(), **self.known, "export_id": self.export_id, "event": event, "reason": reason}
        query = sql.SQL("insert into {} ({}) values ({})")
        columns = sql.SQL(", ").join(map(sql.Identifier, values))
        places = sql.SQL(", ").join(map(sql.Placeholder, values))
        with Database.open(self.settings, messages=MESSAGES) as db:
            db.execute(query.format(db.ops("export_audit"), columns, places), values)
        self.last = event

    def write_end(self, error: InsightsError) -> None:
        """Write that the try ended with this error: failed when it had begun, else refused; once only."""
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
class Try:
    """One try as the audit tells it: when its last event was, who asked for what, and what became of it."""

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
    row_count: int | None
    byte_count: int | None
    reason: str | None


def newest_tries(db: Database, limit: int, organization: str | None) -> list[Try]:
    """Return the newest tries, the newest first; `organization` is a slug or an id, also one that does not exist.

    A start without an end whose session is gone was aborted.
    """
    db = db.saying(MESSAGES)
    query = sql.SQL(
        """
        select distinct on (export_id)
            export_audit_id, export_id, event, logged_at, requested_by, organization, export_name, format, output,
            from_date, to_date, is_masked, row_count, byte_count, reason
        from {table}
        where {given}::text is null or organization = {given} or organization_id = {of}::uuid
        order by export_id, export_audit_id desc
        """
    ).format(table=db.ops("export_audit"), given=organization and _kept(organization), of=_known(db, organization))
    query = sql.SQL("select * from ({}) as tries order by export_audit_id desc limit {}").format(query, limit)
    # An export that ends between the two looks is not aborted: the second look has its end.
    begun = [row["export_id"] for row in db.records(query) if row["event"] == "started"]
    alive = running(db, begun)
    gone = set(begun) - alive
    return [_try(row, gone) for row in db.records(query)]


def _known(db: Database, given: str | None) -> str | None:
    """The id of an organization; of one that dim_organizations does not have, only where it was given as an id."""
    if given is None:
        return None
    try:
        return str(db.organization(given))
    except (NotFoundError, ConflictError, NotBuiltError):
        return organization_id(given)


def _try(row: dict[str, Any], gone: set[UUID]) -> Try:
    event = row.pop("event")
    del row["export_audit_id"]
    state: State = event if event != "started" else "aborted" if row["export_id"] in gone else "running"
    return Try(state=state, **row)


def _kept(text: str) -> str:
    """A text as PostgreSQL can keep it, whatever was typed."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")[:LENGTH]
