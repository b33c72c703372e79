"""The rules of the reviews (decisions D3 to D7) once more, in lists, dicts and loops: what the SQL is compared with.

Written from the decisions' text. It shares nothing with the models, and reads the thresholds from the YAML files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from support.cases_by_hand import VISIBILITIES, Event, Label, event_of, from_metadata
from support.operational_rows import Operational, Row
from support.pattern_rows import Pattern

SEVERITIES = ("MINOR", "MODERATE", "MAJOR", "CRITICAL")
CADENCES = ("weekly", "monthly", "yearly")


class Profile(NamedTuple):
    """The profile that applies, and what decided."""

    code: str
    source: str
    document: dict[str, Any]

    def wants(self, cadence: str) -> bool:
        overview = self.document["cyclic_overview"]
        return bool(overview["enabled"] and overview["schedule"][cadence])

    def trigger(self, name: str) -> Any:
        return self.document["cyclic_overview"]["threshold_triggers"][name]


class Threshold(NamedTuple):
    """`events` cases in `days` consecutive days of the window from `sources` sources, and what set it."""

    events: int
    days: int | None
    sources: int | None
    source: str


ATTENTION = Threshold(1, None, None, "rule")


@dataclass(frozen=True)
class Rules:
    """What the configuration files say."""

    default_profile_key: str
    overrides_by_domain: dict[str, str]
    cadences: dict[str, dict[str, int]]
    profiles: dict[str, dict[str, Any]]

    def profile(self, chosen: str | None, domain: str | None) -> Profile:
        """Return the profile by decision D3; domain None means the organization's, without an override."""
        if domain in self.overrides_by_domain:
            code, source = self.overrides_by_domain[domain], "domain_profile"
        elif chosen in self.profiles:
            code, source = chosen, "organization_profile"
        else:
            code, source = self.default_profile_key, "default_profile"
        return Profile(code, source, self.profiles[code])


@dataclass(frozen=True)
class Review:
    """One review: its date, its window (first and last day included), its rules, what organizations chose."""

    cadence: str
    day: date
    first: date
    last: date
    rules: Rules
    chosen: dict[str, str]

    def threshold(self, profile: Profile) -> Threshold:
        ours = self.rules.cadences[self.cadence]
        if profile.code == "default":
            return Threshold(ours["min_events"], ours["window_days"], ours["min_distinct_sources"], "config")
        theirs = profile.trigger("incident_frequency")
        days = min(theirs["window_days"], ours["window_days"])
        return Threshold(theirs["min_events"], days, ours["min_distinct_sources"], profile.source)


def read_rules(project: Path) -> Rules:
    """Return the rules of the files below `project`."""
    insights = yaml.safe_load((project / "config/insights/config.yaml").read_text("utf-8"))["insights"]
    profiles = yaml.safe_load((project / "config/organization_profiles.yaml").read_text("utf-8"))["profiles"]
    patterns = insights["patterns"]
    return Rules(
        patterns["default_profile_key"],
        patterns["overrides_by_domain"],
        {cadence: patterns[cadence] for cadence in CADENCES},
        {code: profile for code, profile in profiles.items() if not code.startswith("_")},
    )


def expected_patterns(rows: Operational, rules: Rules, as_of: date, cadence: str, *, held_since: date) -> list[Pattern]:
    """Return the findings of one review; `held_since` is the oldest day whose facts retention kept."""
    day = review_date(as_of, cadence)
    first = day - timedelta(days=rules.cadences[cadence]["window_days"])
    chosen = {row["organization_id"]: row["profile_code"] for row in rows.organization_profiles}
    review = Review(cadence, day, first, day - timedelta(days=1), rules, chosen)
    events = _events(rows, review, _midnight(held_since), _midnight(as_of))
    inside = [event for event in events if review.first <= event.day <= review.last]
    found = [*_frequent(inside, review), *_risky(inside, review), *_trends(inside, review)]
    return found + list(_waiting(events, review)) if cadence == "weekly" else found


def review_date(as_of: date, cadence: str) -> date:
    """Return the latest Monday, first of the month, or 1 January that is not after `as_of`."""
    day = as_of
    while {"weekly": day.isoweekday(), "monthly": day.day, "yearly": day.timetuple().tm_yday}[cadence] != 1:
        day -= timedelta(days=1)
    return day


def _events(rows: Operational, review: Review, first: datetime, end: datetime) -> list[Event]:
    """Return the cases of the warehouse, without those that Insights requested."""
    tasks: dict[str, list[Row]] = defaultdict(list)
    for task in rows.tasks:
        if task["case_id"] is not None and task["created_at"] < end:
            tasks[task["case_id"]].append(task)
    persons = {person["id"]: person for person in rows.person_profiles}
    risks = {label["id"] for label in rows.label_definitions if label["category"] == "risk"}
    risky = {e["entity_id"] for e in rows.entity_labels if e["entity_type"] == "case" and e["label_id"] in risks}
    events = []
    for case in rows.cases:
        ours = case["id"] in rows.requested or from_metadata(case, "origin") == "insights"
        if first <= case["created_at"] < end and not ours:
            profile = review.rules.profile(review.chosen.get(case["organization_id"]), None)
            default = profile.document["default_task_metadata"]["visibility"]
            is_risky = case["id"] in risky
            events.append(
                event_of(case, tasks[case["id"]], persons, default_visibility=default, has_risk_label=is_risky)
            )
    return events


def _frequent(events: list[Event], review: Review) -> Iterable[Pattern]:
    for profile, members in _similar(events, review):
        yield from _fired("incident_frequency", members, review, profile, review.threshold(profile))


def _risky(events: list[Event], review: Review) -> Iterable[Pattern]:
    for profile, members in _similar([event for event in events if event.is_risky], review):
        threshold = review.threshold(profile)
        threshold = threshold._replace(events=min(threshold.events, 3), sources=None)
        if profile.trigger("high_risk_indicators"):
            yield from _fired("high_risk_indicator", members, review, profile, threshold)


def _trends(events: list[Event], review: Review) -> Iterable[Pattern]:
    groups: dict[tuple[str, int, int], list[Event]] = defaultdict(list)
    for event in events:
        if event.parts:
            groups[event.organization_id, event.parts.category, event.parts.subcategory].append(event)
    for (organization, _, _), members in groups.items():
        profile = review.rules.profile(review.chosen.get(organization), None)
        departments = {e.parts.base for e in members if e.parts and not e.parts.is_broadcast}
        if profile.trigger("cross_departmental_trends") and len(departments) >= 2:
            yield from _fired("cross_department_trend", members, review, profile, review.threshold(profile))


def _waiting(events: list[Event], review: Review) -> Iterable[Pattern]:
    """Return cases of any age that at the review date are unresolved, and CRITICAL or past their deadline."""
    moment = _midnight(review.day)
    waiting = [
        e
        for e in events
        if e.opened_at < moment
        and (e.closed_at is None or e.closed_at >= moment)
        and (e.severity == "CRITICAL" or (e.deadline_at is not None and e.deadline_at < moment))
    ]
    for profile, members in _similar(waiting, review):
        if profile.wants("weekly"):
            yield _pattern("needs_attention", members, review, profile, ATTENTION)


def _similar(events: list[Event], review: Review) -> list[tuple[Profile, list[Event]]]:
    """Return groups of similar incidents (decision D5), with the profile that applies to each."""
    groups: dict[tuple[str, str, str, str | None], list[Event]] = defaultdict(list)
    for event in events:
        groups[event.organization_id, event.domain, event.label, event.location].append(event)
    return [
        (review.rules.profile(review.chosen.get(organization), domain), members)
        for (organization, domain, _, _), members in groups.items()
    ]


def _fired(
    kind: str, members: list[Event], review: Review, profile: Profile, threshold: Threshold
) -> Iterable[Pattern]:
    """Return the pattern of one group, when its densest stretch and its sources reach the threshold."""
    if not profile.wants(review.cadence) or len(members) < threshold.events:
        return
    pattern = _pattern(kind, members, review, profile, threshold)
    is_heard = threshold.sources is None or (pattern.distinct_sources or 0) >= threshold.sources
    if is_heard and pattern.peak_count >= threshold.events:
        yield pattern


def _densest(days: list[date], review: Review, length: int | None) -> list[date]:
    """Return the days of the cases in the densest stretch of `length` days of the window; of equal ones, the latest."""
    if length is None:
        return days
    best: list[date] = []
    start = review.first
    while start + timedelta(days=length - 1) <= review.last:
        held = [day for day in days if start <= day < start + timedelta(days=length)]
        if held and len(held) >= len(best):
            best = held
        start += timedelta(days=1)
    return best


def _pattern(kind: str, members: list[Event], review: Review, profile: Profile, threshold: Threshold) -> Pattern:
    events = sorted(members, key=lambda event: (event.opened_at, event.case_id))
    one, similar, counted = events[0], kind != "cross_department_trend", threshold is not ATTENTION
    peak = _densest([event.day for event in events], review, threshold.days)
    departments = {e.parts.base for e in events if e.parts and not e.parts.is_broadcast}
    visible = len({s for e in events for s in e.visible_sources})
    is_told = threshold.sources is not None and visible < threshold.sources  # decision D181
    return Pattern(
        review_date=review.day,
        window_start=review.first if counted else events[0].day,
        window_end=review.last,
        organization_id=one.organization_id,
        kind=kind,
        domain=one.domain if similar else None,
        label=one.label if similar else None,
        label_base=one.parts.base if similar and one.parts else None,
        label_category=one.parts.category if one.parts else None,
        label_subcategory=one.parts.subcategory if one.parts else None,
        label_role=one.parts.role if similar and one.parts else None,
        location=one.location if similar else None,
        severity=max((e.severity for e in events), key=SEVERITIES.index),
        event_count=len(events),
        peak_count=len(peak),
        peak_first_date=min(peak),
        peak_last_date=max(peak),
        distinct_sources=len({s for e in events for s in e.sources}) if counted else None,
        visible_sources=visible if counted else None,
        department_count=len(departments) if counted else None,
        threshold_events=threshold.events,
        threshold_days=threshold.days,
        threshold_sources=threshold.sources,
        threshold_source=threshold.source,
        profile_code=profile.code,
        visibility=max((e.strictest if is_told else e.visibility for e in events), key=VISIBILITIES.index),
        first_event_at=events[0].opened_at,
        last_event_at=events[-1].opened_at,
        case_ids=tuple(e.case_id for e in events),
        review_label=_review_label(kind, one.parts),
    )


def _review_label(kind: str, parts: Label | None) -> str | None:
    """Return the label of a review case (source contract, section 5); 1 and 4 replace parts that do not parse."""
    code = f"{parts.category}{parts.subcategory}" if parts else "14"
    segments = parts.role.split(".") if parts and parts.role else []
    # Core Services takes letters and digits only.
    cleaned = ("".join(c for c in segment if c.isascii() and c.isalnum()) for segment in segments)
    role = [segment for segment in cleaned if segment]
    return {
        "incident_frequency": ".".join(["11", code, *role, "Audit"]),
        "high_risk_indicator": ".".join(["2", code, *role, "Review"]),
        "cross_department_trend": f"2.{code[0]}4.Leadership.Review",
    }.get(kind)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
