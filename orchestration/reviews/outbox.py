"""The outbox: the review requests that dbt writes, and the state of their delivery (insights_ops.review_deliveries)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from psycopg import sql

from orchestration.errors import NotBuiltError, NotFoundError, NotPreparedError, UnavailableError
from orchestration.warehouse.database import Database
from orchestration.warehouse.deliveries import FAILED, PENDING, STATUSES, Status
from orchestration.warehouse.translation import Messages

NO_REVIEW_YET = "No review has been built here yet. Run: insights init, then insights build"
MESSAGES: Messages = {
    NotPreparedError: NO_REVIEW_YET,
    NotBuiltError: NO_REVIEW_YET,
    UnavailableError: "The database failed ({detail}). No case is lost and none is sent twice: run the command again.",
}


@dataclass(frozen=True)
class ReviewRequest:
    """A case to send: its id, which is the idempotency key, the Case contract as JSON, and the attempts so far."""

    case_id: str
    payload: str
    attempts: int


@dataclass(frozen=True)
class Delivery:
    """The delivery of a request: status, attempts so far, and the last response."""

    case_id: str
    status: Status
    attempts: int
    answer: str


@dataclass(frozen=True)
class ReviewRow:
    """A request with its delivery, for a list; the slug is None if the organization is gone."""

    organization_id: str
    slug: str | None
    pattern_id: str
    cadence: str
    review_date: date
    severity: str
    delivery: Delivery


def pending_requests(db: Database) -> list[ReviewRequest]:
    """Return the pending requests, those with the fewest attempts first, then the oldest.

    So a case that fails every time does not block new ones.
    """
    query = """
        select requests.case_id::text, requests.payload::text, coalesce(deliveries.attempts, 0)
        from {requests} as requests
        left join {deliveries} as deliveries on requests.case_id = deliveries.case_id
        where coalesce(deliveries.status, {pending}) = {pending}
        order by coalesce(deliveries.attempts, 0), requests.requested_at, requests.case_id
        """
    return [ReviewRequest(*row) for row in db.rows(_on_outbox(db, query))]


def count_requests(db: Database) -> dict[str, int]:
    """Return the number of requests by status."""
    query = """
        select coalesce(deliveries.status, {pending}), count(*)
        from {requests} as requests
        left join {deliveries} as deliveries on requests.case_id = deliveries.case_id
        group by 1
        """
    counts = db.rows(_on_outbox(db, query))
    return {**dict.fromkeys(STATUSES, 0), **dict(counts)}


def newest_requests(db: Database, limit: int, status: str | None = None) -> list[ReviewRow]:
    """Return at most `limit` requests, the newest first, of one status or of all."""
    query = """
        select
            requests.organization_id::text, {slug}, requests.pattern_id::text, requests.cadence,
            requests.review_date, requests.severity, requests.case_id::text, coalesce(deliveries.status, {pending}),
            coalesce(deliveries.attempts, 0), coalesce(deliveries.last_answer, '')
        from {requests} as requests
        left join {deliveries} as deliveries on requests.case_id = deliveries.case_id
        where coalesce(deliveries.status, {pending}) = coalesce(%s, deliveries.status, {pending})
        order by requests.requested_at desc, requests.case_id
        limit %s
        """
    rows = db.rows(_on_outbox(db, query, slug=_slug(db)), [status, limit])
    return [
        ReviewRow(organization, slug, pattern, cadence, review_date, severity, Delivery(*delivery))
        for organization, slug, pattern, cadence, review_date, severity, *delivery in rows
    ]


def record(db: Database, delivery: Delivery) -> None:
    """Write the state of a delivery."""
    query = """
        insert into {deliveries} (case_id, status, attempts, last_answer) values (%s, %s, %s, %s)
        on conflict (case_id) do update set
            status = excluded.status,
            attempts = excluded.attempts,
            last_answer = excluded.last_answer,
            last_attempt_at = now()
        """
    db.execute(_on_outbox(db, query), [delivery.case_id, delivery.status, delivery.attempts, delivery.answer])


def retry_requests(db: Database, case_ids: list[str] | None) -> int:
    """Make failed requests pending again with zero attempts: these, or all if None; returns their number.

    Raises NotFoundError, and changes nothing, if one of `case_ids` is not a failed request.
    """
    query = """
        update {deliveries} set status = {pending}, attempts = 0
        where status = {failed} and case_id = any(coalesce(%s::uuid[], array[case_id]))
        returning case_id::text
        """
    with db.errors(), db.connection.transaction():
        changed = {case_id for (case_id,) in db.rows(_on_outbox(db, query), [case_ids])}
        others = sorted(set(case_ids or []) - changed)
        if others:
            raise NotFoundError(
                f"Not a failed review case: {', '.join(others)}. Nothing was changed. List the failed ones with:"
                f" insights reviews list --status {FAILED}"
            )
    return len(changed)


def _slug(db: Database) -> sql.Composable:
    """Return an expression for the slug of a request's organization; NULL while no organization was loaded."""
    organizations = db.mart("dim_organizations")
    if db.missing({"organizations": organizations}):
        return sql.SQL("null")
    query = "(select slug from {} as organizations where organizations.organization_id = requests.organization_id)"
    return sql.SQL(query).format(organizations)


def _on_outbox(db: Database, query: str, **more: sql.Composable) -> sql.Composed:
    return sql.SQL(query).format(
        requests=db.ops("review_requests"),
        deliveries=db.ops("review_deliveries"),
        pending=sql.Literal(PENDING),
        failed=sql.Literal(FAILED),
        **more,
    )
