"""Reads stored patterns and explains one in sentences, from its row alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import sql

from orchestration.config.files import CONFIG_FILE, PROFILES_FILE
from orchestration.config.rules import REVIEWS
from orchestration.errors import NotBuiltError, NotFoundError
from orchestration.reviews.kinds import category_names, pattern_kinds, subcategory_names
from orchestration.warehouse.database import Database
from orchestration.warehouse.translation import Messages

CADENCES = tuple(REVIEWS)
NO_REVIEW_YET: Messages = {NotBuiltError: "No review has been built here yet. Run: insights init, then insights build"}
HEADER = ("new", "pattern", "kind", "cases", "severity", "organization", "about")
PROFILE_NUMBERS = "cyclic_overview.threshold_triggers.incident_frequency"


@dataclass(frozen=True)
class Filters:
    """The patterns to list; None and () mean all."""

    cadences: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    organization: UUID | None = None


@dataclass(frozen=True)
class Review:
    """The newest review of a cadence with its matching patterns, the largest first."""

    cadence: str
    date: date
    patterns: list[dict[str, Any]]


def newest_reviews(db: Database, filters: Filters) -> list[Review]:
    """Return the newest review of each cadence, also one without patterns, the newest first.

    A pattern is its row plus `cadence` and the organization's `slug`. Raises NotBuiltError if no review was built.
    """
    made = made_reviews(db, filters.cadences)
    chosen = sql.SQL(
        """
        inner join unnest(%(cadences)s::text[], %(dates)s::date[]) as made (cadence, review_date)
            on patterns.cadence = made.cadence and patterns.review_date = made.review_date
        where
            (%(kinds)s::text[] = '{}' or patterns.kind = any(%(kinds)s))
            and (%(organization)s::uuid is null or patterns.organization_id = %(organization)s)
        order by patterns.event_count desc, patterns.pattern_id
        """
    )
    parameters = {
        "cadences": [cadence for cadence, _ in made],
        "dates": [day for _, day in made],
        "kinds": list(filters.kinds),
        "organization": filters.organization,
    }
    rows = pattern_rows(db, chosen, parameters)
    return [Review(cadence, day, [row for row in rows if row["cadence"] == cadence]) for cadence, day in made]


def made_reviews(db: Database, cadences: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Return (cadence, date) of the newest review of each of these cadences; () means all."""
    query = sql.SQL(
        """
        select cadence, max(review_date)
        from {made_reviews}
        where %(cadences)s::text[] = '{{}}' or cadence = any(%(cadences)s)
        group by cadence
        order by 2 desc, 1
        """
    ).format(made_reviews=db.ops("made_reviews"))
    return db.saying(NO_REVIEW_YET).rows(query, {"cadences": list(cadences)})


def tasks_without_case(db: Database, organization: UUID | None) -> int:
    """Return the number of loaded tasks without a case, which are in no pattern (decision D5)."""
    query = sql.SQL(
        """
        select count(*)
        from {tasks} as tasks
        where tasks.case_id is null and (%(one)s::uuid is null or tasks.organization_id = %(one)s)
        """
    ).format(tasks=db.mart("dim_tasks"))
    return int(db.value(query, {"one": organization}))


def find_pattern(
    db: Database,
    pattern_id: UUID,
    review_date: date | None,
    organization_id: str | None = None,
    visibilities: Collection[str] | None = None,
) -> dict[str, Any]:
    """Return a pattern at a review date (default: its newest), of one organization or any.

    Raises NotFoundError if none is stored that has one of the visibilities (None: any).
    """
    chosen = sql.SQL(
        """
        where
            patterns.pattern_id = %(pattern_id)s
            and (%(organization)s::uuid is null or patterns.organization_id = %(organization)s)
            and (%(visibilities)s::text[] is null or patterns.visibility = any(%(visibilities)s))
            and (%(review_date)s::date is null or patterns.review_date = %(review_date)s)
        order by patterns.review_date desc
        limit 1
        """
    )
    parameters = {
        "pattern_id": pattern_id,
        "review_date": review_date,
        "organization": organization_id,
        "visibilities": None if visibilities is None else list(visibilities),
    }
    rows = pattern_rows(db, chosen, parameters)
    if not rows:
        when = f" at the review of {review_date}" if review_date else ""
        raise NotFoundError(f"No stored pattern has the id {pattern_id}{when}. List the ids: insights patterns list")
    return rows[0]


def line_of(row: dict[str, Any]) -> tuple[object, ...]:
    """Return the cells of a pattern in a list, one for each name of HEADER."""
    return (
        "+" if row["is_new"] else "",
        row["pattern_id"],
        pattern_kinds()[row["kind"]].display_name,
        row["event_count"],
        row["severity"],
        row["slug"] or row["organization_id"],
        summary(row),
    )


def summary(row: dict[str, Any]) -> str:
    """Return the subject of a pattern in a few words; nothing from the source if it is ANONYMISED."""
    if row["visibility"] == "ANONYMISED":
        return "(anonymised)"
    if pattern_kinds()[row["kind"]].is_of_category:
        category, subcategory = row["label_category"], row["label_subcategory"]
        return f"category {_named(category, category_names())}, subcategory {_named(subcategory, subcategory_names())}"
    return " ".join(filter(None, [row["label"] or "(no label)", row["domain"], row["location"]]))


def _named(code: int | None, names: Mapping[str, str]) -> str:
    name = names.get(str(code))
    return f"{code} ({name})" if name else str(code)


def explanation(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (heading, sentence): what was found, by which rule, over which threshold, and where that is set."""
    yield "Pattern", f"{row['pattern_id']}, the {row['cadence']} review of {row['review_date']}"
    yield "Organization", f"{row['slug'] or 'unknown'} ({row['organization_id']})"
    yield "About", _about(row)
    kind = pattern_kinds()[row["kind"]]
    yield "Rule", f"{kind.display_name} ({kind.kind}): {kind.explanation}"
    yield "Threshold", _threshold(row)
    yield from (("Set by", sentence) for sentence in _threshold_sources(row))
    yield "Found", _found(row)
    yield "Severity", f"{row['severity']}, the highest; visibility {row['visibility']}, the strictest"
    yield "Episode", f"since {row['episode_start']}" + (", begins with this review" if row["is_new"] else "")
    if row["review_label"]:
        yield "Review case", _review_label(row)
    if row["visibility"] == "ANONYMISED":
        yield "Cases", "withheld, since one of them is ANONYMISED"
    else:
        yield from (("Case", str(case_id)) for case_id in row["case_ids"])


def _about(row: dict[str, Any]) -> str:
    if row["visibility"] == "ANONYMISED" or pattern_kinds()[row["kind"]].is_of_category:
        return summary(row)
    location = f"location {row['location']}" if row["location"] else "no location"
    return f"label {row['label'] or '(none)'}, domain {row['domain'] or '(none)'}, {location}"


def _review_label(row: dict[str, Any]) -> str:
    """Return the label of the review case; without the role, which is source text, if the pattern is ANONYMISED."""
    base, category, *role, suffix = str(row["review_label"]).split(".")
    is_source_text = row["visibility"] == "ANONYMISED" and row["label_role"]
    return ".".join([base, category, *([] if is_source_text else role), suffix])


def _threshold(row: dict[str, Any]) -> str:
    days, sources = row["threshold_days"], row["threshold_sources"]
    if days is None:
        return "every such case, whatever its age"
    is_whole = days == (row["window_end"] - row["window_start"]).days + 1
    return "".join(
        (
            f"at least {_counted(row['threshold_events'], 'case')} within {_counted(days, 'day')}",
            ", the review's whole window" if is_whole else "",
            f", from at least {_counted(sources, 'source')}" if sources else ", from any number of sources",
        )
    )


def _threshold_sources(row: dict[str, Any]) -> Iterator[str]:
    """Yield where each number of the threshold is set, with the file."""
    kind, ours = pattern_kinds()[row["kind"]], f"insights.patterns.{row['cadence']}"
    file = f"{CONFIG_FILE}, or the file of INSIGHTS_PATTERN_CONFIG_PATH"
    profile = f"its numbers: profiles.{row['profile_code']}.{PROFILE_NUMBERS} in {PROFILES_FILE}"
    yield {
        "rule": "the rule itself (decision D6)",
        "config": f"{ours} in {file}",
        "domain_profile": f"insights.patterns.overrides_by_domain in {file}; {profile}",
        "organization_profile": f"the profile that the organization chose (organization_profiles); {profile}",
        "default_profile": f"INSIGHTS_DEFAULT_PROFILE_KEY, or default_profile_key in {file}; {profile}",
    }[row["threshold_source"]]
    if row["threshold_source"] not in ("rule", "config"):
        sources = ", and the sources" if row["threshold_sources"] else ""
        yield f"{ours} in {file}: the window, which limits the days of every profile{sources}"
    if kind.threshold_cap and row["threshold_source"] != "rule":
        name = kind.display_name.lower()
        yield f"the rule itself (decision D6): the threshold of a {name} is at most {kind.threshold_cap} cases"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _found(row: dict[str, Any]) -> str:
    parts = [f"{_counted(row['event_count'], 'case')} from {row['window_start']} to {row['window_end']}"]
    if row["threshold_days"] is not None:
        parts.append(f"{row['peak_count']} of them from {row['peak_first_date']} to {row['peak_last_date']}")
    if row["distinct_sources"] is not None:
        parts.append(f"distinct sources: {row['distinct_sources']}")
    if pattern_kinds()[row["kind"]].min_departments:
        parts.append(f"label bases: {row['department_count']}")
    return "; ".join(parts)


def pattern_rows(db: Database, chosen: sql.SQL, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows of the pattern tables that exist, as `patterns`, with `cadence` and `slug`.

    `chosen` are the other joins, the condition and the order. Raises NotBuiltError if there is no such table.
    """
    missing = db.missing({cadence: db.mart(f"pattern_{cadence}") for cadence in CADENCES})
    built = [cadence for cadence in CADENCES if cadence not in missing]
    union = sql.SQL(" union all ").join(
        sql.SQL("select {cadence} as cadence, * from {table}").format(
            cadence=sql.Literal(cadence), table=db.mart(f"pattern_{cadence}")
        )
        for cadence in built or CADENCES
    )
    every = sql.SQL(
        """
        select patterns.*, organizations.slug
        from ({union}) as patterns
        left join {organizations} as organizations on patterns.organization_id = organizations.organization_id
        """
    ).format(union=union, organizations=db.mart("dim_organizations"))
    return db.saying(NO_REVIEW_YET).records(every + chosen, parameters)
