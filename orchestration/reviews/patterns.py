"""Reads stored patterns and says in words what one of them means; its row alone tells all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from orchestration.config.files import CONFIG_FILE, PROFILES_FILE, Settings
from orchestration.config.rules import REVIEWS
from orchestration.errors import InsightsError

CADENCES = tuple(REVIEWS)
PROFILE_NUMBERS = "cyclic_overview.threshold_triggers.incident_frequency"
RULES = {
    "incident_frequency": "cases of one domain, label and location",
    "high_risk_indicator": "MAJOR or CRITICAL cases, or cases with a risk label, of one domain, label and location",
    "cross_department_trend": "cases of one category and subcategory, from at least two label bases (no broadcasts)",
    "needs_attention": "unresolved cases that are CRITICAL or past their deadline; it asks for no review case",
}


@dataclass(frozen=True)
class Filters:
    """Which patterns to list; None and () mean all. `organization` is a slug or an id."""

    cadences: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    organization: str | None = None


def latest_patterns(connection: psycopg.Connection, settings: Settings, filters: Filters) -> list[dict[str, Any]]:
    """The rows of each cadence's newest stored review, the largest first, with `cadence` and `slug` added."""
    chosen = sql.SQL(
        """
        where
            patterns.review_date = patterns.newest
            and (%(cadences)s::text[] = '{}' or patterns.cadence = any(%(cadences)s))
            and (%(kinds)s::text[] = '{}' or patterns.kind = any(%(kinds)s))
            and (
                %(organization)s::text is null
                or %(organization)s in (organizations.slug, patterns.organization_id::text)
            )
        order by patterns.review_date desc, patterns.cadence, patterns.event_count desc, patterns.pattern_id
        """
    )
    parameters = {
        "cadences": list(filters.cadences),
        "kinds": list(filters.kinds),
        "organization": filters.organization,
    }
    return _rows(connection, settings, chosen, parameters)


def tasks_without_case(connection: psycopg.Connection, settings: Settings, organization: str | None) -> int:
    """How many loaded tasks belong to no case and so are in no pattern (decision D5)."""
    schema = settings.insights.warehouse.schema_name
    query = sql.SQL(
        """
        select count(*)
        from {tasks} as tasks
        left join {organizations} as organizations on tasks.organization_id = organizations.organization_id
        where
            tasks.case_id is null
            and (%(one)s::text is null or %(one)s in (organizations.slug, tasks.organization_id::text))
        """
    ).format(tasks=sql.Identifier(schema, "dim_tasks"), organizations=sql.Identifier(schema, "dim_organizations"))
    row = connection.execute(query, {"one": organization}).fetchone()
    return int(row[0]) if row else 0


def find_pattern(
    connection: psycopg.Connection, settings: Settings, pattern_id: UUID, review_date: date | None
) -> dict[str, Any]:
    """One pattern at one review date, by default its newest; raises InsightsError when none is stored."""
    chosen = sql.SQL(
        """
        where
            patterns.pattern_id = %(pattern_id)s
            and (%(review_date)s::date is null or patterns.review_date = %(review_date)s)
        order by patterns.review_date desc
        limit 1
        """
    )
    rows = _rows(connection, settings, chosen, {"pattern_id": pattern_id, "review_date": review_date})
    if not rows:
        when = f" at the review of {review_date}" if review_date else ""
        raise InsightsError(f"No stored pattern has the id {pattern_id}{when}. Its ids are in: insights patterns list")
    return rows[0]


def summary(row: dict[str, Any]) -> str:
    """What the pattern is about, in a few words; of an ANONYMISED one nothing that the source wrote."""
    if row["visibility"] == "ANONYMISED":
        return "(anonymised)"
    if row["kind"] == "cross_department_trend":
        return f"category {row['label_category']}, subcategory {row['label_subcategory']}"
    return " ".join(filter(None, [row["label"] or "(no label)", row["domain"], row["location"]]))


def explanation(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Pairs of a heading and a sentence: what was found, by which rule, over which threshold, set where."""
    yield "Pattern", f"{row['pattern_id']}, the {row['cadence']} review of {row['review_date']}"
    yield "Organization", f"{row['slug'] or 'unknown'} ({row['organization_id']})"
    yield "About", summary(row)
    yield "Rule", f"{row['kind']}: {RULES[row['kind']]}"
    yield "Threshold", _threshold(row)
    yield "Set by", _threshold_source(row)
    yield "Found", _found(row)
    yield "Severity", f"{row['severity']}, the highest; visibility {row['visibility']}, the strictest"
    yield "Episode", f"since {row['episode_start']}" + (", begins with this review" if row["is_new"] else "")
    if row["review_label"]:
        yield "Review case", row["review_label"]
    if row["visibility"] == "ANONYMISED":
        yield "Cases", "withheld, since one of them is ANONYMISED"
    else:
        yield from (("Case", str(case_id)) for case_id in row["case_ids"])


def _threshold(row: dict[str, Any]) -> str:
    if row["threshold_days"] is None:
        return "every such case, whatever its age"
    sources = row["threshold_sources"]
    return f"at least {row['threshold_events']} cases within {row['threshold_days']} days" + (
        f", from at least {sources} sources" if sources else ", from any number of sources"
    )


def _threshold_source(row: dict[str, Any]) -> str:
    profile = f"its numbers: profiles.{row['profile_code']}.{PROFILE_NUMBERS} in {PROFILES_FILE}"
    return {
        "rule": "the rule itself (decision D6)",
        "config": f"insights.patterns.{row['cadence']} in {CONFIG_FILE}, or the file of INSIGHTS_PATTERN_CONFIG_PATH",
        "domain_profile": f"insights.patterns.overrides_by_domain in {CONFIG_FILE}; {profile}",
        "organization_profile": f"the profile that the organization chose (organization_profiles); {profile}",
        "default_profile": f"INSIGHTS_DEFAULT_PROFILE_KEY or default_profile_key in {CONFIG_FILE}; {profile}",
    }[row["threshold_source"]]


def _found(row: dict[str, Any]) -> str:
    parts = [f"{row['event_count']} cases from {row['window_start']} to {row['window_end']}"]
    if row["threshold_days"] is not None:
        parts.append(f"{row['peak_count']} of them from {row['peak_first_date']} to {row['peak_last_date']}")
    if row["distinct_sources"] is not None:
        parts.append(f"distinct sources: {row['distinct_sources']}")
    if row["kind"] == "cross_department_trend":
        parts.append(f"label bases: {row['department_count']}")
    return "; ".join(parts)


def _rows(
    connection: psycopg.Connection, settings: Settings, chosen: sql.SQL, parameters: dict[str, Any]
) -> list[dict[str, Any]]:
    schema = settings.insights.warehouse.schema_name
    union = sql.SQL(" union all ").join(
        sql.SQL("select {cadence} as cadence, max(review_date) over () as newest, * from {table}").format(
            cadence=sql.Literal(cadence), table=sql.Identifier(schema, f"pattern_{cadence}")
        )
        for cadence in CADENCES
    )
    every = sql.SQL(
        """
        select patterns.*, organizations.slug
        from ({union}) as patterns
        left join {organizations} as organizations on patterns.organization_id = organizations.organization_id
        """
    ).format(union=union, organizations=sql.Identifier(schema, "dim_organizations"))
    try:
        return connection.cursor(row_factory=dict_row).execute(every + chosen, parameters).fetchall()
    except psycopg.errors.UndefinedTable as error:
        raise InsightsError("No review has been built here yet. Run: insights init, then insights build") from error
