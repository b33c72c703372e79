"""Remembers what became of each digest, in `insights_ops.digest_deliveries` (decision D253)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from psycopg import sql

from orchestration.errors import NotBuiltError, NotPreparedError, UnavailableError
from orchestration.warehouse.database import Database
from orchestration.warehouse.deliveries import FAILED, PENDING, STATUSES, Status
from orchestration.warehouse.translation import Messages

MESSAGES: Messages = {
    NotPreparedError: "This database has no bookkeeping of digests. Run: insights init ({detail})",
    NotBuiltError: "Digests need insights init of this release, and a review: insights init, then insights build"
    " ({detail})",
    UnavailableError: "The database failed ({detail}). No digest is lost; one that was being sent may be sent again"
    " with the same id.",
}


@dataclass(frozen=True)
class Delivery:
    """What became of a digest so far: attempts over all runs, and the last answer or reason."""

    status: Status
    attempts: int
    answer: str
    last_attempt_at: datetime


@dataclass(frozen=True)
class Tried:
    """What one run did with a digest: by mail or webhook, what became of it, how many attempts, and the last answer."""

    channel: str
    status: Status
    attempts: int
    answer: str


@dataclass(frozen=True)
class Key:
    """Identifies a digest: recipient, organization and review."""

    recipient: str
    organization_id: UUID
    cadence: str
    review_date: date

    @property
    def digest_id(self) -> UUID:
        """The id by which a receiver knows a digest that it gets again."""
        parts = ("orgo-insights", "digest", self.recipient, str(self.organization_id), self.cadence)
        return uuid5(NAMESPACE_URL, ":".join((*parts, self.review_date.isoformat())))


def deliveries(db: Database) -> dict[Key, Delivery]:
    """Return what became of each digest; raises NotBuiltError before `insights init` of this release."""
    query = sql.SQL(
        "select recipient, organization_id, cadence, review_date, status, attempts, last_answer, last_attempt_at"
        " from {}"
    ).format(db.ops("digest_deliveries"))
    return {Key(*row[:4]): Delivery(*row[4:]) for row in db.rows(query)}


def record(db: Database, key: Key, tried: Tried) -> None:
    """Write what became of a digest; the attempts are added to those before."""
    query = sql.SQL(
        """
        insert into {} as stored
            (digest_id, recipient, organization_id, cadence, review_date, channel, status, attempts, last_answer)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (digest_id) do update set
            channel = excluded.channel,
            status = excluded.status,
            attempts = stored.attempts + excluded.attempts,
            last_answer = excluded.last_answer,
            last_attempt_at = now()
        """
    ).format(db.ops("digest_deliveries"))
    whose = [key.digest_id, key.recipient, key.organization_id, key.cadence, key.review_date]
    db.execute(query, [*whose, tried.channel, tried.status, tried.attempts, tried.answer])


def give_up(db: Database, before: date, reason: str) -> int:
    """Mark pending digests of reviews before a day as failed; returns how many there were."""
    query = sql.SQL("update {} set status = %s, last_answer = last_answer || %s where status = %s and review_date < %s")
    return db.execute(query.format(db.ops("digest_deliveries")), [FAILED, f" {reason}", PENDING, before]).rowcount


def try_again(db: Database, since: date) -> int:
    """Make failed digests of reviews from a day on pending; returns how many there were."""
    query = sql.SQL("update {} set status = %s where status = %s and review_date >= %s")
    return db.execute(query.format(db.ops("digest_deliveries")), [PENDING, FAILED, since]).rowcount


def newest_by_status(db: Database) -> dict[Status, int]:
    """Return how many of the newest digests have each status, of recipients that get them now.

    A digest of a review before `digests.max_age_days` is not counted. Raises NotBuiltError like `deliveries`.
    """
    rules = db.settings.insights.digests
    wanted = [] if rules.paused else [one for one in rules.recipients if not one.paused]
    pairs = [(one.name, cadence) for one in wanted for cadence in one.cadences]
    query = sql.SQL(
        """
        select status, count(*)
        from (
            select distinct on (d.recipient, d.organization_id, d.cadence) d.status
            from {} as d
            inner join unnest(%s::text[], %s::text[]) as w (recipient, cadence)
                on d.recipient = w.recipient and d.cadence = w.cadence
            where d.review_date >= cast(now() at time zone 'UTC' as date) - %s
            order by d.recipient, d.organization_id, d.cadence, d.review_date desc
        ) as newest
        group by 1
        """
    ).format(db.ops("digest_deliveries"))
    found = db.rows(query, [[name for name, _ in pairs], [cadence for _, cadence in pairs], rules.max_age_days])
    return dict.fromkeys(STATUSES, 0) | dict(found)


def pending(known: Mapping[Key, Delivery]) -> set[Key]:
    """Return the digests that were tried and not delivered."""
    return {key for key, delivery in known.items() if delivery.status == PENDING}
