"""Posts pending review cases to Core Services, each once even after a crash: the case id is the idempotency key.

The retry loop is hand-written: it counts the attempts over all runs and obeys Retry-After within limits of the
configuration.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from orchestration.config.files import Settings
from orchestration.config.model import Reviews
from orchestration.progress import Progress
from orchestration.reviews.core_services import Answer, CoreServices, Outcome
from orchestration.reviews.outbox import MESSAGES, Delivery, ReviewRequest, pending_requests, record
from orchestration.warehouse.claims import held
from orchestration.warehouse.database import Database
from orchestration.warehouse.deliveries import FAILED, PENDING, SENT, Status

CLAIM = "review sender"


@dataclass
class SendReport:
    """The numbers of sent, failed and pending requests of a run; `stopped` is why it ended early, if it did."""

    sent: int = 0
    failed: int = 0
    pending: int = 0
    stopped: str | None = None


def core_services(settings: Settings) -> CoreServices | None:
    """Return the client for INSIGHTS_CORE_API_URL, None if it is not set, which means a dry run.

    Raises MisconfiguredError for an invalid URL or token, and RefusedError in `offline` unless it is enabled.
    """
    settings.check_offline("Deliveries of review cases")
    url = settings.core_api_url
    return CoreServices(url, settings.core_api_token, settings.insights.reviews.timeout_seconds) if url else None


def send_reviews(db: Database, core: CoreServices, progress: Progress | None = None) -> SendReport:
    """Deliver every pending request; only one sender runs at a time. `progress` gets (settled or tried, all).

    The connection of `db` must be in autocommit mode: each delivery is recorded at once, so that a killed run repeats
    at most one, with the same id. The run stops if Core Services refuses the token, or if
    `reviews.stop_after_undelivered` requests in a row are not delivered, because the others would fail too. Raises
    BusyError if another sender is running, NotBuiltError if no review was built yet, and UnavailableError if the
    database is lost.
    """
    db = db.saying(MESSAGES)
    reviews = db.settings.insights.reviews
    report = SendReport()
    undelivered_in_a_row = 0
    with db.errors(), held(db, CLAIM, "sending review cases from this warehouse"):
        requests = pending_requests(db)
        report.pending = len(requests)
        for number, request in enumerate(requests):
            if progress:
                progress(number, len(requests))
            attempts, answer = _deliver(core, reviews, request)
            if answer.outcome is Outcome.STOP:
                report.stopped = (
                    f"Core Services answered: {answer.text}. This is not about one case: check INSIGHTS_CORE_API_TOKEN"
                    " and INSIGHTS_CORE_API_URL (a redirect is not followed), and the proxy of the environment, if any."
                )
                break
            status = _status(reviews, attempts, answer)
            record(db, Delivery(request.case_id, status, attempts, answer.text))
            report.sent += status == SENT
            report.failed += status == FAILED
            report.pending -= status != PENDING
            undelivered_in_a_row = undelivered_in_a_row + 1 if answer.outcome is Outcome.AGAIN else 0
            if undelivered_in_a_row == reviews.stop_after_undelivered:
                report.stopped = (
                    f"Core Services did not accept {undelivered_in_a_row} cases in a row. Last answer: {answer.text}."
                )
                break
    return report


def _deliver(core: CoreServices, reviews: Reviews, request: ReviewRequest) -> tuple[int, Answer]:
    """Post one request, with growing pauses, until it is settled or the attempts of this run are used up."""
    attempts = request.attempts
    last = min(attempts + reviews.attempts_per_run, reviews.max_attempts)
    pause = reviews.backoff_seconds
    while True:
        answer = core.post(request.case_id, request.payload)
        attempts += 1
        if answer.outcome is not Outcome.AGAIN or attempts >= last:
            return attempts, answer
        jittered = pause * random.uniform(0.5, 1.5)  # noqa: S311 - not a secret
        time.sleep(min(max(jittered, answer.retry_after), reviews.max_pause_seconds))
        pause *= 2


def _status(reviews: Reviews, attempts: int, answer: Answer) -> Status:
    if answer.outcome is Outcome.SENT:
        return SENT
    given_up = answer.outcome is Outcome.REFUSED or attempts >= reviews.max_attempts
    return FAILED if given_up else PENDING
