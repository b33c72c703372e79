"""The outbox: requests that dbt wrote, and what became of each delivery (insights_ops.review_deliveries)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import InsightsError


@dataclass(frozen=True)
class ReviewRequest:
    """One Case to ask for: its id, which is the idempotency key, the Case contract as JSON, and its tries so far."""

    case_id: str
    payload: str
    attempts: int


@dataclass(frozen=True)
class Delivery:
    """What became of a request: status (pending, sent or failed), tries so far, and the last answer."""

    case_id: str
    status: str
    attempts: int
    answer: str


@dataclass(frozen=True)
class ReviewRow:
    """One request for a person to read, with what became of it."""

    organization_id: str
    pattern_id: str
    cadence: str
    review_date: date
    severity: str
    delivery: Delivery


@contextmanager
def outbox_errors() -> Iterator[None]:
    """Turn what the database may say of the outbox into InsightsError: nothing built, or a failure."""
    try:
        yield
    except psycopg.errors.UndefinedTable as error:
        raise InsightsError("No review has been built here yet. Run: insights init, then insights build") from error
    except psycopg.OperationalError as error:
        raise InsightsError(
            f"The database failed ({' '.join(str(error).split())}). No case is lost and none is sent twice: run the"
            " command again."
        ) from error


def pending_requests(connection: psycopg.Connection, settings: Settings) -> list[ReviewRequest]:
    """Requests that were neither delivered nor given up: the least tried first, of those the oldest.

    So a case that fails for ever does not keep the new ones from being sent.
    """
    query = """
        select requests.case_id::text, requests.payload::text, coalesce(deliveries.attempts, 0)
        from {requests} as requests
        left join {deliveries} as deliveries on requests.case_id = deliveries.case_id
        where coalesce(deliveries.status, 'pending') = 'pending'
        order by coalesce(deliveries.attempts, 0), requests.requested_at, requests.case_id
        """
    return [ReviewRequest(*row) for row in connection.execute(_on_outbox(settings, query)).fetchall()]


def count_requests(connection: psycopg.Connection, settings: Settings) -> dict[str, int]:
    """How many requests are pending, failed and sent."""
    query = """
        select coalesce(deliveries.status, 'pending'), count(*)
        from {requests} as requests
        left join {deliveries} as deliveries on requests.case_id = deliveries.case_id
        group by 1
        """
    counts = connection.execute(_on_outbox(settings, query)).fetchall()
    return {"pending": 0, "failed": 0, "sent": 0} | dict(counts)


def newest_requests(
    connection: psycopg.Connection, settings: Settings, limit: int, status: str | None = None
) -> list[ReviewRow]:
    """The newest requests, of one status or of all, at most `limit`."""
    query = """
        select
            requests.organization_id::text, requests.pattern_id::text, requests.cadence, requests.review_date,
            requests.severity, requests.case_id::text, coalesce(deliveries.status, 'pending'),
            coalesce(deliveries.attempts, 0), coalesce(deliveries.last_answer, '')
        from {requests} as requests
        left join {deliveries} as deliveries on requests.case_id = deliveries.case_id
        where coalesce(deliveries.status, 'pending') = coalesce(%s, deliveries.status, 'pending')
        order by requests.requested_at desc, requests.case_id
        limit %s
        """
    rows = connection.execute(_on_outbox(settings, query), [status, limit]).fetchall()
    return [
        ReviewRow(organization, pattern, cadence, review_date, severity, Delivery(*delivery))
        for organization, pattern, cadence, review_date, severity, *delivery in rows
    ]


def record(connection: psycopg.Connection, settings: Settings, delivery: Delivery) -> None:
    """Write what became of a request."""
    query = """
        insert into {deliveries} (case_id, status, attempts, last_answer) values (%s, %s, %s, %s)
        on conflict (case_id) do update set
            status = excluded.status,
            attempts = excluded.attempts,
            last_answer = excluded.last_answer,
            last_attempt_at = now()
        """
    connection.execute(
        _on_outbox(settings, query), [delivery.case_id, delivery.status, delivery.attempts, delivery.answer]
    )


def retry_requests(connection: psycopg.Connection, settings: Settings, case_ids: list[str] | None) -> int:
    """Make failed requests pending again, with no attempts used: these, or all when None; returns how many.

    Raises InsightsError, and changes nothing, when one of `case_ids` is not a failed request.
    """
    query = """
        update {deliveries} set status = 'pending', attempts = 0
        where status = 'failed' and case_id = any(coalesce(%s::uuid[], array[case_id]))
        returning case_id::text
        """
    with connection.transaction():
        changed = {case_id for (case_id,) in connection.execute(_on_outbox(settings, query), [case_ids])}
        others = sorted(set(case_ids or []) - changed)
        if others:
            raise InsightsError(
                f"Not a failed review case: {', '.join(others)}. Nothing was changed. See the failed ones with:"
                " insights reviews list --status failed"
            )
    return len(changed)


def _on_outbox(settings: Settings, query: str) -> sql.Composed:
    ops = f"{settings.insights.warehouse.schema_name}_ops"
    return sql.SQL(query).format(
        requests=sql.Identifier(ops, "review_requests"), deliveries=sql.Identifier(ops, "review_deliveries")
    )
