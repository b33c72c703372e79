"""Sends the digests that are due, each once even after a crash: its id is the Message-ID or idempotency key (D253)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.config.files import Settings
from orchestration.digests import ledger
from orchestration.digests.channels import Content, channel_of, deliver, server_of
from orchestration.digests.charts import charts, drawn
from orchestration.digests.contents import Cadence, Question, read_digest
from orchestration.digests.ledger import MESSAGES, Key, Tried
from orchestration.digests.plan import Planned, made_reviews, plan, visible_in_digests
from orchestration.digests.words import message
from orchestration.errors import InsightsError, NotFoundError, RefusedError
from orchestration.reviews.core_services import Answer, Outcome
from orchestration.warehouse.claims import held
from orchestration.warehouse.clock import check_as_of
from orchestration.warehouse.database import Database
from orchestration.warehouse.deliveries import FAILED, PENDING, SENT, Status

CLAIM = "digest sender"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """A digest to look at: of an organization, by slug or id, for readers with these roles."""

    organization: str
    cadence: Cadence
    roles: Sequence[str]


@dataclass(frozen=True)
class Result:
    """What became of one digest in a run."""

    planned: Planned
    status: Status
    answer: str
    is_of_server: bool = False  # whether the server, and not this digest, is why it is pending

    def __str__(self) -> str:
        """Return it in words, without the address."""
        one = self.planned
        return f"{one.recipient.name}, {one.cadence} review of {one.key.review_date}: {self.status}, {self.answer}"


def send_digests(db: Database, as_of: date, say: Say, *, retries_failed: bool = False) -> Iterator[Result]:
    """Deliver every digest that is due as of a day; one that fails holds up no other. Only one sender runs at a time.

    The connection of `db` must be in autocommit mode: what became of each digest is recorded at once, so that a killed
    run repeats at most one, with the same id. With `retries_failed`, those that have failed are tried again. Raises
    BadInputError if the day is in the future, BusyError if another sender is running, NotBuiltError before a review or
    `insights init` of this release, RefusedError in `offline`, and UnavailableError if the database is lost.
    """
    settings = db.settings
    settings.check_offline("Digests")
    db = db.saying(MESSAGES)
    check_as_of(db, as_of)
    oldest = as_of - timedelta(days=settings.insights.digests.max_age_days)
    with db.errors(), held(db, CLAIM, "sending digests from this warehouse"):
        ledger.give_up(db, oldest, "Not delivered within digests.max_age_days.")
        if retries_failed:
            ledger.try_again(db, oldest)
        if not settings.insights.digests.recipients:
            return
        due = []
        for planned in plan(db, as_of):
            if planned.is_due:
                due.append(planned)
            elif planned.reason:
                say(f"{planned.recipient.name}, {planned.cadence}: none, {planned.reason}")
            elif planned.waits:
                say(f"{planned.recipient.name}, {planned.cadence}: waits, {planned.waits}")
        yield from _all_sent(db, due, say)


def _all_sent(db: Database, due: Sequence[Planned], say: Say) -> Iterator[Result]:
    """Send digests; a server that does not take several in a row gets the others in the next run.

    The recipient with the fewest attempts comes first, so that none is always among the others.
    """
    attempts: Counter[str] = Counter()
    for planned in due:
        attempts[planned.recipient.name] += planned.delivery.attempts if planned.delivery else 0
    undelivered: Counter[str] = Counter()
    limit = db.settings.insights.reviews.stop_after_undelivered
    for planned in sorted(due, key=lambda one: attempts[one.recipient.name]):
        server = server_of(db.settings, planned.recipient)
        result = _postponed(db, planned) if undelivered[server] >= limit else _sent(db, planned, say)
        undelivered[server] = undelivered[server] + 1 if result.is_of_server else 0
        yield result


def _postponed(db: Database, planned: Planned) -> Result:
    says = f"its server did not take {db.settings.insights.reviews.stop_after_undelivered} digests in a row"
    if planned.delivery is None:  # else its last answer says more
        ledger.record(db, planned.key, Tried(channel_of(planned.recipient), PENDING, 0, says))
    return Result(planned, PENDING, says, is_of_server=True)


def shown_content(db: Database, request: Request, as_of: date, say: Say) -> Content:
    """Return the digest of the newest review up to a day, as readers with these roles would get it.

    Raises RefusedError if they may see nothing that may leave, NotFoundError if the organization or the review does not
    exist, and like `read_digest`.
    """
    visibilities = visible_in_digests(db.settings, request.roles)
    if not visibilities:
        raise RefusedError(f"These roles may see nothing that may leave Insights: {', '.join(request.roles)}.")
    organization_id, made = db.organization(request.organization), made_reviews(db, as_of)
    reviews = made.of(request.cadence)
    if not reviews:
        raise NotFoundError(f"No {request.cadence} review was made up to {as_of}.")
    asked = made.asked(organization_id, request.cadence, reviews[-1], visibilities)
    return _content(db.settings, Key("shown", organization_id, request.cadence, reviews[-1]), asked, say)


def _content(settings: Settings, key: Key, asked: Question, say: Say) -> Content:
    """Return a digest with its pictures, read as the role of exports (decision D174), which sees no personal column."""
    with Database.open(settings, settings.export_url, autocommit=False, messages=MESSAGES) as db:
        digest = read_digest(db, asked)
    found = tuple(drawn(charts(digest), say))
    return Content(key.digest_id, digest, message(digest, found, settings.insights.digests.page_url))


def _sent(db: Database, planned: Planned, say: Say) -> Result:
    assert planned.asked  # noqa: S101 -- what is due has a question
    try:
        content = _content(db.settings, planned.key, planned.asked, say)
        attempts, answer = _deliver(db.settings, planned, content)
    except InsightsError as error:  # a missing report, say: the next run tries again
        ledger.record(
            db, planned.key, Tried(channel_of(planned.recipient), PENDING, 1, f"it could not be made: {error}")
        )
        return Result(planned, PENDING, f"it could not be made: {error}")
    status: Status = {Outcome.SENT: SENT, Outcome.REFUSED: FAILED}.get(answer.outcome, PENDING)
    ledger.record(db, planned.key, Tried(channel_of(planned.recipient), status, attempts, answer.text))
    return Result(planned, status, answer.text, is_of_server=status == PENDING)


def _deliver(settings: Settings, planned: Planned, content: Content) -> tuple[int, Answer]:
    """Deliver until it is settled or the attempts of this run are used up; returns their number and the last answer."""
    rules = settings.insights.digests
    for attempt in range(1, rules.attempts_per_run + 1):
        answer = deliver(settings, planned.recipient, content)
        if answer.outcome is not Outcome.AGAIN or attempt == rules.attempts_per_run:
            break
        time.sleep(min(max(rules.pause_seconds, answer.retry_after), settings.insights.reviews.max_pause_seconds))
    return attempt, answer
