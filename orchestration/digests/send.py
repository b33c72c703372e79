"""Sends the digests that are due, each once even after a crash: its id is the Message-ID or idempotency key (D256)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.config.files import Settings
from orchestration.digests import ledger
from orchestration.digests.channels import Content, channel_of, deliver
from orchestration.digests.charts import charts, drawn
from orchestration.digests.contents import Asked, Cadence, read_digest
from orchestration.digests.ledger import MESSAGES, Key, Tried
from orchestration.digests.plan import Planned, made_reviews, plan, visible_in_digests
from orchestration.digests.words import message
from orchestration.errors import InsightsError, NotFoundError, RefusedError
from orchestration.reviews.core_services import Answer, Outcome
from orchestration.warehouse.claims import held
from orchestration.warehouse.database import Database
from orchestration.warehouse.deliveries import FAILED, PENDING, SENT, Status

CLAIM = "digest sender"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """A digest to look at: of an organization, by slug or id, for readers with these roles."""

    organization: str
    cadence: Cadence
    roles: Sequence[str]


@dataclass(frozen=True)
class Told:
    """What became of one digest in a run."""

    planned: Planned
    status: Status
    answer: str

    def __str__(self) -> str:
        """Return it in words, without the address."""
        one = self.planned
        return f"{one.recipient.name}, {one.cadence} review of {one.key.review_date}: {self.status}, {self.answer}"


def send_digests(db: Database, as_of: date, say: Say, *, retries_failed: bool = False) -> Iterator[Told]:
    """Deliver every digest that is due as of a day; one that fails holds up no other. Only one sender runs at a time.

    The connection of `db` must be in autocommit mode: what became of each digest is recorded at once, so that a killed
    run repeats at most one, with the same id. With `retries_failed`, those that have failed are tried again. Raises
    BusyError if another sender is running, NotBuiltError before a review or `insights init` of this release,
    RefusedError in `offline`, and UnavailableError if the database is lost.
    """
    settings = db.settings
    settings.check_offline("Digests")
    if not settings.insights.digests.recipients:
        return
    db = db.saying(MESSAGES)
    oldest = as_of - timedelta(days=settings.insights.digests.max_age_days)
    with db.errors(), held(db, CLAIM, "sending digests from this warehouse"):
        ledger.give_up(db, oldest, "Not delivered within digests.max_age_days.")
        if retries_failed:
            ledger.try_again(db, oldest)
        for planned in plan(db, as_of):
            if planned.is_due:
                yield _sent(db, planned, say)
            elif planned.reason:
                say(f"{planned.recipient.name}, {planned.cadence}: none, {planned.reason}")


def shown_content(db: Database, wanted: Wanted, as_of: date, say: Say) -> Content:
    """Return the digest of the newest review up to a day, as readers with these roles would get it.

    Raises RefusedError if they may see nothing that may leave, NotFoundError if the organization or the review does not
    exist, and like `read_digest`.
    """
    visibilities = visible_in_digests(db.settings, wanted.roles)
    if not visibilities:
        raise RefusedError(f"These roles may see nothing that may leave Insights: {', '.join(wanted.roles)}.")
    organization_id, made = db.organization(wanted.organization), made_reviews(db, as_of)
    reviews = made.of(wanted.cadence)
    if not reviews:
        raise NotFoundError(f"No {wanted.cadence} review was made up to {as_of}.")
    asked = made.asked(organization_id, wanted.cadence, reviews[-1], visibilities)
    return _content(db.settings, Key("shown", organization_id, wanted.cadence, reviews[-1]), asked, say)


def _content(settings: Settings, key: Key, asked: Asked, say: Say) -> Content:
    """Return a digest with its pictures, read as the role of exports (decision D174), which sees no personal column."""
    with Database.open(settings, settings.export_url, autocommit=False, messages=MESSAGES) as db:
        digest = read_digest(db, asked)
    found = tuple(drawn(charts(digest), say))
    return Content(key.digest_id, digest, message(digest, found, settings.insights.digests.page_url))


def _sent(db: Database, planned: Planned, say: Say) -> Told:
    assert planned.asked  # noqa: S101 -- what is due has a question
    try:
        content = _content(db.settings, planned.key, planned.asked, say)
        attempts, answer = _deliver(db.settings, planned, content)
    except InsightsError as error:  # a missing report, say: the next run tries again
        attempts, answer = 1, Answer(Outcome.AGAIN, f"it could not be made: {error}")
    status: Status = {Outcome.SENT: SENT, Outcome.REFUSED: FAILED}.get(answer.outcome, PENDING)
    ledger.record(db, planned.key, Tried(channel_of(planned.recipient), status, attempts, answer.text))
    return Told(planned, status, answer.text)


def _deliver(settings: Settings, planned: Planned, content: Content) -> tuple[int, Answer]:
    """Deliver until it is settled or the attempts of this run are used up; returns their number and the last answer."""
    rules = settings.insights.digests
    for attempt in range(1, rules.attempts_per_run + 1):
        answer = deliver(settings, planned.recipient, content)
        if answer.outcome is not Outcome.AGAIN or attempt == rules.attempts_per_run:
            break
        time.sleep(min(max(rules.pause_seconds, answer.retry_after), settings.insights.reviews.max_pause_seconds))
    return attempt, answer
