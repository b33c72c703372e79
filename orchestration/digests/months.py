"""Reads the tasks of the months before a review, and compares a month or a year with the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import sql

from orchestration.digests.plain import plain
from orchestration.warehouse.database import Database

MONTHS = 24  # two years, so that a year can be compared with the one before
NO_DOMAIN = "(no domain)"


@dataclass(frozen=True)
class Month:
    """The tasks of one month: opened and closed in it, open at its end, deadlines in it, and those that were missed."""

    month: date
    opened: int
    closed: int
    backlog: int
    deadlines: int
    missed: int


@dataclass(frozen=True)
class Figure:
    """A number of the period that has ended, and of the one before; None where it is not known.

    A `share` is of 1.
    """

    name: str
    is_share: bool
    now: float | None
    before: float | None


@dataclass(frozen=True)
class DomainYear:
    """A domain in the year before the review: tasks opened, in the year before that, and missed deadlines, of 1.

    `opened_before` is None where that year is not known.
    """

    domain: str
    opened: int
    opened_before: int | None
    missed_share: float | None


_MONTHS = """
    select
        month, sum(opened)::integer, sum(closed)::integer, sum(backlog)::integer, sum(deadline_count)::integer,
        sum(missed_count)::integer
    from {trends}
    where
        organization_id = %(organization)s
        and visibility = any(%(visibilities)s)
        and month >= %(since)s
        and month < %(until)s
    group by month
    order by month
"""
_DOMAINS = """
    select
        domain, sum(opened) filter (where month >= %(middle)s)::integer,
        coalesce(sum(opened) filter (where month < %(middle)s), 0)::integer,
        (
            sum(missed_count) filter (where month >= %(middle)s)::double precision
            / nullif(sum(deadline_count) filter (where month >= %(middle)s), 0)
        )
    from {trends}
    where
        organization_id = %(organization)s
        and visibility = any(%(visibilities)s)
        and month >= %(since)s
        and month < %(until)s
    group by domain
    having sum(opened) filter (where month >= %(middle)s) > 0
    order by 2 desc, 1
    limit %(limit)s
"""


@dataclass(frozen=True)
class Trends:
    """The monthly trends of an organization as some may see them: months before `until`.

    Whole months are known from `known_from` up to `known_to`, which is no longer part of them.
    """

    organization_id: UUID
    visibilities: Sequence[str]
    until: date
    known_from: date
    known_to: date

    def months(self, db: Database) -> list[Month]:
        """Return the last 24 whole months, without those that have no task; raises like any query."""
        query = sql.SQL(_MONTHS).format(trends=db.mart("report_monthly_trends"))
        return [Month(*row) for row in db.rows(query, self._parameters())]

    def domains(self, db: Database, limit: int) -> list[DomainYear]:
        """Return the domains with the most tasks in the last twelve months, the largest first.

        Returns none if these months are not all known.
        """
        if not self._knows(months_before(self.until, 12), 12):
            return []
        query = sql.SQL(_DOMAINS).format(trends=db.mart("report_monthly_trends"))
        more = {"middle": months_before(self.until, 12), "limit": limit}
        has_before = self._knows(months_before(self.until, MONTHS), 12)
        return [
            DomainYear(plain(domain or NO_DOMAIN), opened, before if has_before else None, missed)
            for domain, opened, before, missed in db.rows(query, self._parameters() | more)
        ]

    def figures(self, months: Sequence[Month], length: int) -> list[Figure]:
        """Return the figures of the last `length` months, and of as many before these, as far as they are known."""
        begins = (months_before(self.until, length), months_before(self.until, 2 * length))
        now, before = (self._period(months, begin, length) for begin in begins)
        return [
            Figure("opened", is_share=False, now=_opened(now), before=_opened(before)),
            Figure("closed", is_share=False, now=_closed(now), before=_closed(before)),
            Figure("open at the end", is_share=False, now=_open_at_the_end(now), before=_open_at_the_end(before)),
            Figure("deadlines missed", is_share=True, now=_missed_share(now), before=_missed_share(before)),
        ]

    def _parameters(self) -> dict[str, Any]:
        return {
            "organization": self.organization_id,
            "visibilities": list(self.visibilities),
            "since": max(months_before(self.until, MONTHS), self.known_from),
            "until": min(self.until, self.known_to).replace(day=1),
        }

    def _knows(self, begin: date, length: int) -> bool:
        """Return whether each of so many months from a first day on is known."""
        return self.known_from <= begin and months_before(begin, -length) <= self.known_to

    def _period(self, months: Sequence[Month], begin: date, length: int) -> list[Month] | None:
        """Return each month of a period, also those without tasks; None if the period is not known."""
        if not self._knows(begin, length):
            return None
        found = {month.month: month for month in months}
        days = [months_before(begin, -number) for number in range(length)]
        return [found.get(day, Month(day, 0, 0, 0, 0, 0)) for day in days]


def _opened(period: list[Month] | None) -> int | None:
    return None if period is None else sum(month.opened for month in period)


def _closed(period: list[Month] | None) -> int | None:
    return None if period is None else sum(month.closed for month in period)


def _open_at_the_end(period: list[Month] | None) -> int | None:
    return None if period is None else period[-1].backlog


def _missed_share(period: list[Month] | None) -> float | None:
    deadlines = sum(month.deadlines for month in period or ())
    return sum(month.missed for month in period or ()) / deadlines if deadlines else None


def months_before(day: date, months: int) -> date:
    """Return the first day of the month that is so many months before that of a day."""
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(years, month + 1, 1)
