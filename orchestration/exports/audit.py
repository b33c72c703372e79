"""`insights_ops.export_audit`: every try to export and what became of it, refused ones too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from orchestration.config.files import Settings
from orchestration.errors import InsightsError
from orchestration.exports.request import Request
from orchestration.exports.slots import running
from orchestration.warehouse.connection import connect

Event = Literal["started", "finished", "failed", "refused"]
State = Literal["running", "finished", "failed", "refused", "aborted"]
LENGTH = 500  # characters of what somebody typed that are kept


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
        """Write one event with all that is known; raises InsightsError when the database cannot be told."""
        values = {**self._given(), **self.known, "export_id": self.export_id, "event": event, "reason": reason}
        query = sql.SQL("insert into {} ({}) values ({})").format(
            _table(self.settings),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        )
        with audit_errors(), connect(self.settings.warehouse_url) as connection:
            connection.execute(query, values)
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


def newest_tries(connection: psycopg.Connection, settings: Settings, limit: int, organization: str | None) -> list[Try]:
    """The newest tries, the newest first; `organization` is the slug or id as it was given. Raises InsightsError.

    A start without an end whose session is gone was aborted.
    """
    table = _table(settings)
    query = sql.SQL(
        """
        select distinct on (export_id)
            export_audit_id, export_id, event, logged_at, requested_by, organization, export_name, format, output,
            from_date, to_date, is_masked, row_count, byte_count, reason
        from {table}
        where {of}::text is null or {of} in (organization, organization_id::text)
        order by export_id, export_audit_id desc
        """
    ).format(table=table, of=organization)
    query = sql.SQL("select * from ({}) as tries order by export_audit_id desc limit {}").format(query, limit)
    with audit_errors():
        # An export that ends between the two looks is not aborted: the second look has its end.
        begun = [row["export_id"] for row in _rows(connection, query) if row["event"] == "started"]
        alive = running(connection, begun)
        rows = _rows(connection, query)
    gone = set(begun) - alive
    return [_try(row, gone) for row in rows]


@contextmanager
def audit_errors() -> Iterator[None]:
    """Turn what the database may say of the audit into InsightsError: not prepared, or a failure."""
    try:
        yield
    except psycopg.errors.UndefinedTable as error:
        raise InsightsError("This database has no audit of exports yet. Run: insights init") from error
    except psycopg.Error as error:
        raise InsightsError(f"The audit of exports failed: {' '.join(str(error).split())}") from error


def _try(row: dict[str, Any], gone: set[UUID]) -> Try:
    event = row.pop("event")
    del row["export_audit_id"]
    state: State = event if event != "started" else "aborted" if row["export_id"] in gone else "running"
    return Try(state=state, **row)


def _rows(connection: psycopg.Connection, query: sql.Composed) -> list[dict[str, Any]]:
    return connection.cursor(row_factory=dict_row).execute(query).fetchall()


def _table(settings: Settings) -> sql.Identifier:
    return sql.Identifier(f"{settings.insights.warehouse.schema_name}_ops", "export_audit")


def _kept(text: str) -> str:
    """A text as PostgreSQL can keep it, whatever was typed."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")[:LENGTH]
