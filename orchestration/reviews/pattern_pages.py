"""Pages of the patterns that an organization's users may see, and the cases of one of them (decision D185)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import sql

from orchestration.errors import BadInputError
from orchestration.reviews.patterns import CADENCES, made_reviews, pattern_rows
from orchestration.warehouse.database import Database
from orchestration.warehouse.ids import canonical_id

Made = tuple[tuple[str, date], ...]
MAX_CURSOR = 1000  # characters
_MOST_CASES = 2**31 - 1


@dataclass(frozen=True)
class PageFilters:
    """The patterns of one organization to list. An empty collection of cadences means all; `domain` None too."""

    organization_id: str
    visibilities: tuple[str, ...]
    cadences: tuple[str, ...]
    kinds: tuple[str, ...]
    severities: tuple[str, ...]
    domain: str | None

    @property
    def digest(self) -> str:
        """A digest of all of them, by which a cursor belongs to its question."""
        whole = [getattr(self, name) for name in self.__dataclass_fields__]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Position:
    """A place in a list: after this pattern of these reviews, so that a review made in between moves nothing."""

    made: Made
    place: int
    cases: int
    pattern_id: str


@dataclass(frozen=True)
class Page:
    """Some patterns of the newest reviews, `left_out` more that follow, and the cursor of the next page if they do.

    A pattern is its row plus `cadence` and the organization's `slug`.
    """

    made: Made
    patterns: list[dict[str, Any]]
    left_out: int
    next_cursor: str | None


def pattern_page(db: Database, filters: PageFilters, after: Position | None, limit: int) -> Page:
    """Return at most `limit` patterns: the newest review first, within a review the largest pattern first.

    Raises NotBuiltError if no review was built.
    """
    made = after.made if after else tuple((c, day) for c, day in made_reviews(db, filters.cadences))
    chosen = sql.SQL(
        """
        inner join unnest(%(cadences)s::text[], %(dates)s::date[]) with ordinality as made (cadence, review_date, place)
            on patterns.cadence = made.cadence and patterns.review_date = made.review_date
        where
            patterns.organization_id = %(organization)s
            and patterns.visibility = any(%(visibilities)s)
            and patterns.kind = any(%(kinds)s)
            and patterns.severity = any(%(severities)s)
            and (%(domain)s::text is null or patterns.domain = %(domain)s)
            and (made.place, -patterns.event_count, patterns.pattern_id)
            > (%(place)s, %(cases)s, coalesce(%(pattern_id)s::uuid, '00000000-0000-0000-0000-000000000000'))
        order by made.place, -patterns.event_count, patterns.pattern_id
        """
    )
    parameters = {
        "organization": filters.organization_id,
        "visibilities": list(filters.visibilities),
        "kinds": list(filters.kinds),
        "severities": list(filters.severities),
        "domain": filters.domain,
        "cadences": [cadence for cadence, _ in made],
        "dates": [day for _, day in made],
        "place": after.place if after else 0,
        "cases": -after.cases if after else 0,
        "pattern_id": after.pattern_id if after else None,
    }
    rows = pattern_rows(db, chosen, parameters)
    shown, left_out = rows[:limit], max(0, len(rows) - limit)
    last = shown[-1] if left_out else None
    place = {cadence: number for number, (cadence, _) in enumerate(made, start=1)}
    cursor = last and cursor_of(
        filters, Position(made, place[last["cadence"]], last["event_count"], str(last["pattern_id"]))
    )
    return Page(made, shown, left_out, cursor or None)


def cursor_of(filters: PageFilters, position: Position) -> str:
    """Return the cursor of a position in the list with these filters."""
    made = [[cadence, day.isoformat()] for cadence, day in position.made]
    whole = [filters.digest, made, position.place, position.cases, position.pattern_id]
    return base64.urlsafe_b64encode(json.dumps(whole, separators=(",", ":")).encode()).rstrip(b"=").decode()


def position_of(filters: PageFilters, cursor: str) -> Position:
    """Return the position of a cursor; raises BadInputError unless a list with these filters could have returned it.

    It is not signed: a forged one leads to another place among what its user may see, and nowhere else.
    """
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        digest, listed, place, cases, pattern_id = json.loads(text)
        made = tuple((str(cadence), date.fromisoformat(day)) for cadence, day in listed)
        position = Position(made, place, cases, pattern_id)
        is_valid = (
            digest == filters.digest
            and len({cadence for cadence, _ in made}) == len(made)
            and {cadence for cadence, _ in made} <= set(filters.cadences or CADENCES)
            and type(place) is int
            and 1 <= place <= len(made)
            and type(cases) is int
            and 0 <= cases <= _MOST_CASES
            and isinstance(pattern_id, str)
            and canonical_id(pattern_id) == pattern_id
            and cursor_of(filters, position) == cursor
        )
    except (ValueError, TypeError, RecursionError, binascii.Error):
        is_valid = False
    if not is_valid:
        raise BadInputError("Parameter cursor must be the next_cursor of an answer to the same question.")
    return position


def visible_cases(
    db: Database, organization_id: str, case_ids: Sequence[UUID], visibilities: Collection[str], limit: int
) -> tuple[list[dict[str, Any]], int]:
    """Return the loaded cases among these that have one of the visibilities, the newest first, and their number.

    At most `limit` cases are returned. A case that was purged since is not among them.
    """
    query = sql.SQL(
        """
        select case_id, label, domain, status, severity, visibility, opened_at, closed_at
        from {cases}
        where organization_id = %(organization)s and case_id = any(%(ids)s) and visibility = any(%(visibilities)s)
        order by opened_at desc, case_id
        """
    ).format(cases=db.mart("dim_cases"))
    rows = db.records(
        query, {"organization": organization_id, "ids": list(case_ids), "visibilities": list(visibilities)}
    )
    return rows[:limit], len(rows)


def patterns_horizon(db: Database) -> date | None:
    """Return the earliest horizon of the newest loads of the pattern tables; None if none was loaded."""
    query = sql.SQL(
        """
        select min(newest.horizon)
        from unnest(%s::text[]) as wanted (name)
        cross join lateral (
            select log.horizon from {load_log} as log where log.relation_name = wanted.name
            order by log.load_log_id desc limit 1
        ) as newest
        """
    ).format(load_log=db.ops("load_log"))
    found: date | None = db.value(query, [[f"pattern_{cadence}" for cadence in CADENCES]])
    return found
