"""Reads what a digest says: the patterns of one review compared with the review before, and the tasks of its months.

Every row is chosen in the database, by organization and visibility; nothing else leaves it (decision D252).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, get_args
from uuid import UUID

from psycopg import sql

from orchestration.config.tokens import Severity, Visibility
from orchestration.digests.months import DomainYear, Figure, Month, Trends
from orchestration.digests.plain import plain
from orchestration.reviews.kinds import pattern_kinds
from orchestration.reviews.patterns import summary
from orchestration.warehouse.database import Database

Cadence = Literal["weekly", "monthly", "yearly"]
Name = Literal["opened", "rose", "goes_on", "ended"]
SEVERITIES: tuple[str, ...] = get_args(Severity)
DAY = timedelta(days=1)
PERIODS = {"monthly": 1, "yearly": 12}  # months that are compared with as many before


@dataclass(frozen=True)
class Line:
    """One pattern. `severity_before` and `cases_before` are of the review before, None if it did not find the pattern.

    For one that ended, `severity` and `cases` are those of the review before too.
    """

    pattern_id: UUID
    kind: str
    kind_name: str
    about: str
    severity: str
    severity_before: str | None
    cases: int
    cases_before: int | None
    sources: int | None
    since: date


@dataclass(frozen=True)
class Reviewed:
    """A review in the history: its date, the patterns that began with it, and those that went on."""

    review_date: date
    new: int
    continuing: int


@dataclass(frozen=True)
class Question:
    """The organization, review and visibilities of a digest; `earlier` are the reviews that were made, this one last.

    `window_days` is what the configuration has, for a review that found nothing. Monthly aggregates are known from the
    first day of the month `aggregates_from` up to the day before `aggregates_to`.
    """

    organization_id: UUID
    cadence: Cadence
    review_date: date
    visibilities: tuple[Visibility, ...]
    window_days: int
    max_lines: int
    earlier: tuple[date, ...]
    aggregates_from: date
    aggregates_to: date


@dataclass(frozen=True)
class Section:
    """The patterns of one kind of change, the most severe first; `left_out` more are not listed."""

    lines: tuple[Line, ...]
    left_out: int

    @property
    def count(self) -> int:
        """How many patterns there are, listed or not."""
        return len(self.lines) + self.left_out


@dataclass(frozen=True)
class Digest:
    """What one digest says. `months`, `figures` and `domains` are empty where the cadence has none.

    `first_day` is the first day whose cases its patterns are of.
    """

    asked: Question
    slug: str
    organization: str
    first_day: date
    sections: dict[Name, Section]
    history: tuple[Reviewed, ...]
    months: tuple[Month, ...]
    figures: tuple[Figure, ...]
    domains: tuple[DomainYear, ...]

    @property
    def window(self) -> tuple[date, date]:
        """The first and the last day whose cases the review looked at."""
        return self.first_day, self.asked.review_date - DAY

    @property
    def has_review_before(self) -> bool:
        """Whether the review before was made; if not, every pattern counts as new (decision D7)."""
        return review_before(self.asked.cadence, self.asked.review_date) in self.asked.earlier


def review_before(cadence: Cadence, review_date: date) -> date:
    """Return the date of the review before, which is a date of the calendar, whether it was made or not."""
    match cadence:
        case "weekly":
            return review_date - 7 * DAY
        case "monthly":
            return (review_date - DAY).replace(day=1)
        case "yearly":
            return review_date.replace(year=review_date.year - 1)


def read_digest(db: Database, asked: Question) -> Digest:
    """Return a digest, read in one transaction by the connection of `db`.

    Raises NotBuiltError if the marts were not built.
    """
    db.execute("set transaction isolation level repeatable read, read only")
    limit = db.settings.insights.cache.compute_seconds
    db.execute(sql.SQL("set local statement_timeout = {}").format(sql.Literal(f"{limit}s")))
    names = sql.SQL("select slug, display_name from {} where organization_id = %s").format(db.mart("dim_organizations"))
    slug, name = db.rows(names, [asked.organization_id])[0]
    known = (asked.aggregates_from, asked.aggregates_to)
    trends = Trends(asked.organization_id, asked.visibilities, asked.review_date, *known)
    months = () if asked.cadence == "weekly" else tuple(trends.months(db))
    changes = _changes(db, asked)
    starts = [row["window_start"] for row in changes if row["is_now"]]
    return Digest(
        asked=asked,
        slug=plain(slug),
        organization=plain(name or slug),
        first_day=min(starts, default=asked.review_date - asked.window_days * DAY),
        sections=_sections(changes, asked.max_lines),
        history=_history(db, asked),
        months=months,
        figures=() if asked.cadence == "weekly" else tuple(trends.figures(months, PERIODS[asked.cadence])),
        domains=tuple(trends.domains(db, asked.max_lines)) if asked.cadence == "yearly" else (),
    )


_CHANGES = """
    with found as (
        select
            review_date = %(review_date)s as is_now, pattern_id, kind, domain, label, label_category, label_subcategory,
            location, severity, visibility, event_count, visible_sources, episode_start, is_new, window_start
        from {patterns}
        where
            organization_id = %(organization)s
            and review_date in (%(review_date)s, %(before)s)
            and visibility = any(%(visibilities)s)
    )

    select
        shown.*,
        before.severity as severity_before,
        before.event_count as cases_before
    from found as shown
    left join found as before on shown.is_now and not before.is_now and shown.pattern_id = before.pattern_id
    where
        shown.is_now
        -- A pattern that is stricter now has not ended, and must not be shown.
        or not exists (
            select from {patterns} as later
            where
                later.organization_id = %(organization)s
                and later.review_date = %(review_date)s
                and later.pattern_id = shown.pattern_id
        )
    order by array_position(%(severities)s::text[], shown.severity) desc, shown.event_count desc, shown.pattern_id
"""


def _changes(db: Database, asked: Question) -> list[dict[str, Any]]:
    query = sql.SQL(_CHANGES).format(patterns=db.mart(f"pattern_{asked.cadence}"))
    return db.records(
        query,
        {
            "organization": asked.organization_id,
            "review_date": asked.review_date,
            "before": review_before(asked.cadence, asked.review_date),
            "visibilities": list(asked.visibilities),
            "severities": list(SEVERITIES),
        },
    )


def _sections(rows: Sequence[dict[str, Any]], most: int) -> dict[Name, Section]:
    found: dict[Name, list[Line]] = {name: [] for name in get_args(Name)}
    for row in rows:
        found[_name(row)].append(_line(row))
    return {name: Section(tuple(lines[:most]), max(0, len(lines) - most)) for name, lines in found.items()}


def _name(row: dict[str, Any]) -> Name:
    if not row["is_now"]:
        return "ended"
    if row["is_new"]:
        return "opened"
    before = row["severity_before"]
    return "rose" if before and SEVERITIES.index(row["severity"]) > SEVERITIES.index(before) else "goes_on"


def _line(row: dict[str, Any]) -> Line:
    return Line(
        pattern_id=row["pattern_id"],
        kind=row["kind"],
        kind_name=pattern_kinds()[row["kind"]].display_name,
        about=plain(summary(row)),
        severity=row["severity"],
        severity_before=row["severity_before"],
        cases=row["event_count"],
        cases_before=row["cases_before"],
        sources=row["visible_sources"],
        since=row["episode_start"],
    )


def _history(db: Database, asked: Question) -> tuple[Reviewed, ...]:
    """Return each review that was made, also one that found nothing.

    A pattern that is too strict to be shown now counts nowhere, so that the numbers do not tell of it.
    """
    query = sql.SQL(
        """
        select made.review_date, count(*) filter (where found.is_new), count(*) filter (where not found.is_new)
        from unnest(%(dates)s::date[]) as made (review_date)
        left join {patterns} as found
            on
                made.review_date = found.review_date
                and found.organization_id = %(organization)s
                and found.visibility = any(%(visibilities)s)
                and not exists (
                    select from {patterns} as now
                    where
                        now.organization_id = %(organization)s
                        and now.review_date = %(review_date)s
                        and now.pattern_id = found.pattern_id
                        and now.visibility <> all(%(visibilities)s)
                )
        group by made.review_date
        order by made.review_date
        """
    ).format(patterns=db.mart(f"pattern_{asked.cadence}"))
    parameters = {
        "dates": list(asked.earlier),
        "review_date": asked.review_date,
        "organization": asked.organization_id,
        "visibilities": list(asked.visibilities),
    }
    return tuple(Reviewed(*row) for row in db.rows(query, parameters))
