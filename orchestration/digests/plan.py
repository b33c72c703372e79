"""Says who gets which digest, and why somebody gets none (specification, sections 2.5 and 3.2; decision D252)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from psycopg import sql

from orchestration.config.files import Settings
from orchestration.config.outputs_model import DigestRecipient
from orchestration.config.profile_model import Profile
from orchestration.config.tokens import Visibility
from orchestration.dashboards import access
from orchestration.digests.contents import Cadence, Question
from orchestration.digests.ledger import Delivery, Key, deliveries, pending
from orchestration.errors import InsightsError
from orchestration.exports.query import visible_as_rows
from orchestration.reviews.patterns import NO_REVIEW_YET
from orchestration.warehouse.clock import check_as_of
from orchestration.warehouse.database import Database
from orchestration.warehouse.deliveries import PENDING, SENT

SCOPES = ("user", "team", "department", "org_wide")  # each reaches more people than the one before
REVIEWS_SHOWN = 12
NEVER = date(1970, 1, 1)
TRENDS = "report_monthly_trends"  # what the figures of a month or year are read from


@dataclass(frozen=True)
class Planned:
    """A digest of a recipient, with what became of it so far; or why there is none, in `reason`.

    `waits` says for which load a digest waits that cannot be made yet. `is_mistake` is whether the reason is in the
    configuration of the recipient, so that it would never get one.
    """

    recipient: DigestRecipient
    cadence: Cadence
    reason: str | None = None
    is_mistake: bool = False
    asked: Question | None = None
    waits: str | None = None
    delivery: Delivery | None = None

    @property
    def key(self) -> Key:
        """Which digest it is; only of one that there is."""
        assert self.asked  # noqa: S101 -- a reason has no key
        return Key(self.recipient.name, self.asked.organization_id, self.cadence, self.asked.review_date)

    @property
    def is_due(self) -> bool:
        """Whether it is to be sent now."""
        is_open = self.delivery is None or self.delivery.status == PENDING
        return self.asked is not None and self.waits is None and is_open


@dataclass(frozen=True)
class Made:
    """The reviews that were made up to `as_of`, by cadence and in order.

    Monthly aggregates are known from `aggregates_from` up to the day before `aggregates_to`.
    """

    settings: Settings
    as_of: date
    reviews: Mapping[str, tuple[date, ...]]
    aggregates_from: date
    aggregates_to: date

    def of(self, cadence: str) -> tuple[date, ...]:
        """Return the reviews of a cadence."""
        return self.reviews.get(cadence, ())

    def waits(self, cadence: str, review_date: date) -> str | None:
        """Return for which load the digest of a review waits, because its figures are not there yet."""
        if cadence == "weekly" or self.aggregates_to >= review_date:
            return None
        return f"{TRENDS} is not loaded up to {review_date}"

    def asked(
        self, organization_id: UUID, cadence: Cadence, review_date: date, visibilities: tuple[Visibility, ...]
    ) -> Question:
        """Return the question for the contents of a digest."""
        insights = self.settings.insights
        return Question(
            organization_id=organization_id,
            cadence=cadence,
            review_date=review_date,
            visibilities=visibilities,
            window_days=getattr(insights.patterns, cadence).window_days,
            max_lines=insights.digests.max_patterns,
            earlier=tuple(day for day in self.of(cadence) if day <= review_date)[-REVIEWS_SHOWN:],
            aggregates_from=self.aggregates_from,
            aggregates_to=self.aggregates_to,
        )


def plan(db: Database, as_of: date) -> list[Planned]:
    """Return each digest that is due as of a day or was sent of the newest review, and why a recipient gets none.

    Raises NotBuiltError if no review was made, or before `insights init` of this release.
    """
    made, known = made_reviews(db, as_of), deliveries(db)
    found: list[Planned] = []
    for recipient in db.settings.insights.digests.recipients:
        for cadence in recipient.cadences:
            found += _planned(db, made, known, recipient, cadence)
    return found


def visible_in_digests(settings: Settings, roles: Sequence[str]) -> tuple[Visibility, ...]:
    """Return the visibilities that leave for these roles: what they may see, and may leave as rows at all."""
    seen = access.visible(settings.insights.access, access.checked_roles(roles))
    return tuple(one for one in seen if one in visible_as_rows(settings))


def made_reviews(db: Database, as_of: date) -> Made:
    """Return the reviews that were made up to a day and whose patterns were not purged.

    Raises BadInputError if the day is in the future.
    """
    query = sql.SQL(
        "select distinct cadence, review_date from {}"
        " where review_date <= %s and review_date >= {}('pattern_result') order by 1, 2"
    ).format(db.ops("made_reviews"), db.ops("purge_cutoff"))
    reviews: dict[str, tuple[date, ...]] = {}
    for cadence, day in db.saying(NO_REVIEW_YET).rows(query, [as_of]):
        reviews[cadence] = (*reviews.get(cadence, ()), day)
    days = db.settings.insights.retention.aggregated_retention_days.of(db.settings.environment)
    check_as_of(db, as_of)
    if db.missing({TRENDS: db.mart(TRENDS)}):
        return Made(db.settings, as_of, reviews, as_of, NEVER)
    # Before the first month of the table nothing was loaded: such a month is unknown, not one without tasks.
    query = sql.SQL(
        "select greatest({}('aggregated', %(as_of)s, %(days)s), (select min(month) from {}), %(never)s),"
        " coalesce((select max(horizon) from {} where relation_name = %(trends)s), %(never)s)"
    ).format(db.ops("retention_cutoff"), db.mart(TRENDS), db.ops("load_log"))
    ((known_from, known_to),) = db.rows(query, {"as_of": as_of, "days": days, "never": NEVER, "trends": TRENDS})
    return Made(db.settings, as_of, reviews, known_from, known_to)


def _planned(
    db: Database, made: Made, known: Mapping[Key, Delivery], recipient: DigestRecipient, cadence: Cadence
) -> Iterator[Planned]:
    settings, rules = db.settings, db.settings.insights.digests
    if rules.paused or recipient.paused:
        yield Planned(recipient, cadence, "paused")
        return
    try:
        organization_id = db.organization(recipient.organization)
        visibilities = visible_in_digests(settings, recipient.roles)
    except InsightsError as error:
        if error.is_transient:
            raise
        yield Planned(recipient, cadence, str(error), is_mistake=True)
        return
    if reason := _refusal(db, recipient, cadence, organization_id, visibilities):
        yield Planned(recipient, cadence, reason, is_mistake=True)
        return
    oldest = made.as_of - timedelta(days=rules.max_age_days)
    recent = [day for day in made.of(cadence) if day >= oldest]
    tried = {key.review_date for key in pending(known) if _is_of(key, recipient, organization_id, cadence)}
    days = sorted({*recent[-1:], *tried.intersection(recent)})
    if not days:
        yield Planned(recipient, cadence, f"no review in the last {rules.max_age_days} days")
    for day in days:
        key = Key(recipient.name, organization_id, cadence, day)
        asked = made.asked(organization_id, cadence, day, visibilities)
        delivery = known.get(key)
        is_sent = delivery is not None and delivery.status == SENT
        waits = None if is_sent else made.waits(cadence, day)
        yield Planned(recipient, cadence, asked=asked, waits=waits, delivery=delivery)


def _is_of(key: Key, recipient: DigestRecipient, organization_id: UUID, cadence: str) -> bool:
    return (key.recipient, key.organization_id, key.cadence) == (recipient.name, organization_id, cadence)


def _refusal(
    db: Database,
    recipient: DigestRecipient,
    cadence: Cadence,
    organization_id: UUID,
    visibilities: Sequence[Visibility],
) -> str | None:
    """Return why a recipient gets no digest of an organization, whatever the reviews find; None if it gets one."""
    query = sql.SQL("select status, profile_code from {} where organization_id = %s").format(
        db.mart("dim_organizations")
    )
    ((status, code),) = db.rows(query, [organization_id])
    if status != "active":
        return f"the organization is {status}"
    if not visibilities:
        return "its roles may see nothing that may leave"
    name = code if code in db.settings.profiles else db.settings.default_profile_key
    profile = db.settings.profiles[name]
    if SCOPES.index(recipient.scope) > SCOPES.index(profile.notification_scope):
        return (
            f"its scope is {recipient.scope}, and notification_scope of the profile {name} {profile.notification_scope}"
        )
    if not _is_reviewed(db.settings, profile, cadence):
        return f"the profile {name} and those of its domains have no {cadence} review"
    return None


def _is_reviewed(settings: Settings, profile: Profile, cadence: Cadence) -> bool:
    """Return whether a review of this cadence looks at any domain of an organization with this profile."""
    of_domains = (settings.profiles[code] for code in settings.insights.patterns.overrides_by_domain.values())
    overviews = [one.cyclic_overview for one in (profile, *of_domains)]
    return any(overview.enabled and getattr(overview.schedule, cadence) for overview in overviews)
