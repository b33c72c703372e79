"""Posts pending review cases to Core Services: once each, whatever breaks, since its id is the idempotency key."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import dataclass
from enum import Enum

import psycopg
import urllib3

from orchestration.config.files import Settings
from orchestration.config.model import Reviews
from orchestration.errors import InsightsError
from orchestration.reviews.outbox import Delivery, ReviewRequest, pending_requests, record, sender_lock

OK, CONFLICT, TOO_MANY, SERVER_ERROR = 200, 409, 429, 500
FORBIDDEN = (401, 403)


class Outcome(Enum):
    """What an answer means for its request."""

    SENT = "sent"  # delivered now, or by an earlier try whose answer was lost (409)
    REFUSED = "failed"  # an answer that no repetition changes
    AGAIN = "pending"  # a time-out, a cut connection, 429 or a 5xx
    UNAUTHORIZED = "unauthorized"  # our token, not this case, is the problem


@dataclass(frozen=True)
class Answer:
    """The outcome of one try and what the server, or the network, said."""

    outcome: Outcome
    text: str


def send_reviews(connection: psycopg.Connection, settings: Settings, url: str, token: str | None) -> Counter[str]:
    """Deliver every pending request, one sender at a time; returns how many ended as sent, failed or pending.

    `connection` is in autocommit mode: each delivery is recorded at once, so a killed run repeats at most the one it
    was at, with the same id. Raises InsightsError when the token is refused, or another sender is at work.
    """
    reviews = settings.insights.reviews
    pool = urllib3.PoolManager(retries=False)
    counts: Counter[str] = Counter()
    with sender_lock(connection):
        for request in pending_requests(connection, settings):
            attempts, answer = _deliver(pool, reviews, request, url, token)
            if answer.outcome is Outcome.UNAUTHORIZED:
                raise InsightsError(
                    f"Core Services refused the token ({answer.text}); check INSIGHTS_CORE_API_TOKEN. Nothing is lost:"
                    " the requests stay pending."
                )
            given_up = answer.outcome is Outcome.AGAIN and attempts >= reviews.max_attempts
            status = "failed" if given_up else answer.outcome.value
            record(connection, settings, Delivery(request.case_id, status, attempts, answer.text))
            counts[status] += 1
    return counts


def _deliver(
    pool: urllib3.PoolManager, reviews: Reviews, request: ReviewRequest, url: str, token: str | None
) -> tuple[int, Answer]:
    """Try one request, with growing pauses, until it is settled or this run's tries are used up."""
    attempts = request.attempts
    for tried in range(reviews.attempts_per_run):
        if tried:
            time.sleep(reviews.backoff_seconds * 2 ** (tried - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        attempts += 1
        answer = _post(pool, reviews, request, url, token)
        if answer.outcome is not Outcome.AGAIN or attempts >= reviews.max_attempts:
            break
    return attempts, answer


def _post(pool: urllib3.PoolManager, reviews: Reviews, request: ReviewRequest, url: str, token: str | None) -> Answer:
    headers = {"Content-Type": "application/json", "Idempotency-Key": request.case_id}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        response = pool.request(
            "POST",
            url,
            body=json.dumps(request.payload).encode(),
            headers=headers,
            timeout=urllib3.Timeout(total=reviews.timeout_seconds),
            redirect=False,
        )
    except urllib3.exceptions.HTTPError as error:
        return Answer(Outcome.AGAIN, f"{type(error).__name__}: {error}")
    text = f"{response.status} {response.data.decode('utf-8', 'replace')}".strip()
    if OK <= response.status < OK + 100 or response.status == CONFLICT:
        return Answer(Outcome.SENT, text)
    if response.status in FORBIDDEN:
        return Answer(Outcome.UNAUTHORIZED, text)
    if response.status == TOO_MANY or response.status >= SERVER_ERROR:
        return Answer(Outcome.AGAIN, text)
    return Answer(Outcome.REFUSED, text)
