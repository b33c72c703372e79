"""The outbox: requests that dbt wrote, and what became of each delivery (insights_ops.review_deliveries)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import InsightsError

SENDER_LOCK = "orgo-insights-review-sender"
ANSWER_LENGTH = 500


@dataclass(frozen=True)
class ReviewRequest:
    """One Case to ask for: its id, which is the idempotency key, the Case contract, and how often it was tried."""

    case_id: str
    payload: dict[str, Any]
    attempts: int


@dataclass(frozen=True)
class Delivery:
    """What became of a request: status (pending, sent or failed), tries so far, and the last answer."""

    case_id: str
    status: str
    attempts: int
    answer: str


@contextmanager
def sender_lock(connection: psycopg.Connection) -> Iterator[None]:
    """Be the only sender on this warehouse; raises InsightsError when another one is at work."""
    row = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [SENDER_LOCK]).fetchone()
    if row != (True,):
        raise InsightsError("Another process is sending review cases from this warehouse; wait until it has finished.")
    try:
        yield
    finally:
        connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [SENDER_LOCK])


def pending_requests(connection: psycopg.Connection, settings: Settings) -> list[ReviewRequest]:
    """Requests that were neither delivered nor given up, oldest first; raises InsightsError before the first build."""
    ops = f"{settings.insights.warehouse.schema_name}_ops"
    query = sql.SQL(
        """
        select requests.case_id::text, requests.payload, coalesce(deliveries.attempts, 0)
        from {requests} as requests
        left join {deliveries} as deliveries on requests.case_id = deliveries.case_id
        where coalesce(deliveries.status, 'pending') = 'pending'
        order by requests.requested_at, requests.case_id
        """
    ).format(requests=sql.Identifier(ops, "review_requests"), deliveries=sql.Identifier(ops, "review_deliveries"))
    try:
        return [ReviewRequest(*row) for row in connection.execute(query).fetchall()]
    except psycopg.errors.UndefinedTable as error:
        raise InsightsError("No review has been built here yet. Run: insights init, then insights build") from error


def record(connection: psycopg.Connection, settings: Settings, delivery: Delivery) -> None:
    """Write what became of a request, its answer cut short."""
    table = sql.Identifier(f"{settings.insights.warehouse.schema_name}_ops", "review_deliveries")
    connection.execute(
        sql.SQL(
            """
            insert into {table} (case_id, status, attempts, last_answer) values (%s, %s, %s, %s)
            on conflict (case_id) do update set
                status = excluded.status,
                attempts = excluded.attempts,
                last_answer = excluded.last_answer,
                last_attempt_at = now()
            """
        ).format(table=table),
        [delivery.case_id, delivery.status, delivery.attempts, delivery.answer[:ANSWER_LENGTH]],
    )
