"""What the reports must say, counted in plain Python from the operational tables: no SQL but `select *`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import psycopg
from psycopg.rows import dict_row
from support.cases_by_hand import VISIBILITIES, parse_label, visibility_of
from support.operational_rows import Row, parsed, printed
from support.reports.statuses_by_hand import Status, statuses_of

from orchestration.config.files import Settings

STATUSES = {
    *("PENDING", "IN_PROGRESS", "ON_HOLD", "ESCALATED"),
    *(CLOSED := ("COMPLETED", "FAILED", "CANCELLED")),
}
PRIORITIES = {"LOW", "MEDIUM", "HIGH", "CRITICAL"}
SEVERITIES = {"MINOR", "MODERATE", "MAJOR", "CRITICAL"}
SOURCES = {"email", "api", "manual", "sync", "ui", "import", "insight", "email_thread"}
TABLES = ("tasks", "task_events", "task_comments", "cases", "person_profiles", "organization_profiles")
NEVER = datetime.max.replace(tzinfo=UTC)

Key = tuple[Any, ...]
Table = dict[Key, tuple[Any, ...]]


@dataclass(frozen=True)
class Task:
    """One task as the reports see it."""

    task_id: Any
    organization_id: Any
    domain: str
    label_base: int | None
    label_category: int | None
    location: str | None
    status: str
    priority: str
    severity: str
    visibility: str
    created_at: datetime
    closed_at: datetime | None
    deadline_at: datetime | None
    first_response: int | None
    completion: int | None
    statuses: list[Status]


def read_tasks(connection: psycopg.Connection, settings: Settings, horizon: date, cutoff: date) -> list[Task]:
    """Return the tasks of fact_tasks as of `horizon`, created on `cutoff` or later."""
    return tasks_of(read_rows(connection), settings, horizon, cutoff)


def read_rows(connection: psycopg.Connection) -> dict[str, list[Row]]:
    """Return the rows of the operational tables that decide what tasks are; reading them is half of the work."""
    return {
        name: connection.cursor(row_factory=dict_row).execute(f"select * from {name}").fetchall()  # noqa: S608
        for name in TABLES
    }


def tasks_of(rows: dict[str, list[Row]], settings: Settings, horizon: date, cutoff: date) -> list[Task]:
    """Return the tasks of fact_tasks as of `horizon`, created on `cutoff` or later, from the rows of the tables."""
    persons = {p["id"]: p for p in rows["person_profiles"]}
    profiles = {p["organization_id"]: p["profile_code"] for p in rows["organization_profiles"]}
    end, start = _midnight(horizon), _midnight(cutoff)
    events, comments = _by_task(rows["task_events"], end), _by_task(rows["task_comments"], end)
    siblings = defaultdict(list)
    accepted = [t for t in map(_todays, rows["tasks"]) if _is_accepted(t) and t["created_at"] < end]
    for task in accepted:
        siblings[task["case_id"]].append(task)
    places = {}
    for case in rows["cases"]:
        location = parsed(case["location"]) if isinstance(case["location"], str) else case["location"]
        if start <= case["created_at"] < end and location not in (None, {}, ""):
            case["metadata"] = parsed(case["metadata"]) if isinstance(case["metadata"], str) else case["metadata"]
            default = settings.profiles[profiles.get(case["organization_id"], settings.default_profile_key)]
            visibility = visibility_of(case, siblings[case["id"]], persons, default.default_task_metadata.visibility)
            places[case["id"]] = (printed(location), visibility)
    return [
        _task(t, events[t["id"]], comments[t["id"]], _visibility(t, persons), places.get(t["case_id"]))
        for t in accepted
        if t["created_at"] >= start
    ]


def _by_task(rows: Iterable[Row], end: datetime) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        if row["created_at"] < end:
            found[row["task_id"]].append(row)
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _todays(task: Row) -> Row:
    severity = str(task["severity"]).strip(" ").upper()
    visibility = str(task["visibility"]).strip(" ").upper()
    return task | {
        "status": str(task["status"]).strip(" ").upper(),
        "priority": str(task["priority"]).strip(" ").upper(),
        "severity": "MINOR" if severity == "INFO" else severity,
        "visibility": visibility if visibility in VISIBILITIES else "RESTRICTED",
        "source": str(task["source"]).strip(" ").lower(),
        "updated_at": max(task["created_at"], task["updated_at"]),
    }


def _is_accepted(task: Row) -> bool:
    return (
        task["status"] in STATUSES
        and task["priority"] in PRIORITIES
        and task["severity"] in SEVERITIES
        and task["source"] in SOURCES
    )


def _visibility(task: Row, persons: dict[Any, Row]) -> str:
    requester, own = task["requester_person_id"], str(task["visibility"])
    if requester and persons.get(requester, {}).get("confidentiality_level") != "normal":
        return max(own, "RESTRICTED", key=VISIBILITIES.index)
    return own


def _task(task: Row, events: list[Row], comments: list[Row], visibility: str, place: tuple[str, str] | None) -> Task:
    closed_at = None
    if task["status"] in CLOSED:
        reached = [e["created_at"] for e in events if (_change(e) or (None, None))[1] == task["status"]]
        closed_at = task["closed_at"] or max(reached, default=None) or task["updated_at"]
    responses = [e["created_at"] for e in events if _is_response(e)]
    responses += [c["created_at"] for c in comments]
    later = [moment for moment in responses if moment > task["created_at"]]
    label = parse_label((task["label"] or "").strip(" "))
    location, place_visibility = place or (None, visibility)
    if VISIBILITIES.index(place_visibility) > VISIBILITIES.index(visibility):
        location = None  # decision D183
    return Task(
        task_id=task["id"],
        organization_id=task["organization_id"],
        domain=task["type"].strip(" "),
        label_base=label.base if label else None,
        label_category=label.category if label else None,
        location=location,
        status=task["status"],
        priority=task["priority"],
        severity=task["severity"],
        visibility=visibility,
        created_at=task["created_at"],
        closed_at=closed_at,
        deadline_at=task["reactivity_deadline_at"],
        first_response=_seconds(task["created_at"], min(later, default=None)),
        completion=_seconds(task["created_at"], closed_at),
        statuses=statuses_of(task, closed_at, events),
    )


def _change(event: Row) -> tuple[str, str | None] | None:
    """Return the old status (PENDING if the event has none) and the new status of a change."""
    if event["event_type"] != "status_changed":
        return None
    old, new = ((event[name] or {}).get("status") for name in ("old_value", "new_value"))
    return (old or "PENDING").upper(), new and new.upper()


def _is_response(event: Row) -> bool:
    change = _change(event)
    if change:
        return change[0] == "PENDING" and change[1] not in (None, "PENDING")
    return event["event_type"] in ("ownership_changed", "comment_added")


def _seconds(start: datetime, end: datetime | None) -> int | None:
    return None if end is None or end < start else (end - start) // timedelta(seconds=1)


def task_volume(tasks: list[Task]) -> Table:
    """Return the number of tasks by day, organization, status, type, priority, severity and visibility."""
    return {
        key: (len(found),)
        for key, found in _grouped(
            tasks,
            lambda t: (_day(t.created_at), t.organization_id, t.status, t.domain, t.priority, t.severity, t.visibility),
        ).items()
    }


def profile_scores(tasks: list[Task], horizon: date) -> Table:
    """Return score, tasks, kept, missed, undecided and without a deadline, by organization, domain and visibility."""
    end, table = _midnight(horizon), {}
    for key, found in _grouped(tasks, lambda t: (t.organization_id, t.domain, t.visibility)).items():
        due = [(t.deadline_at, t.closed_at) for t in found if t.deadline_at is not None]
        kept = sum(closed_at is not None and closed_at <= deadline_at for deadline_at, closed_at in due)
        undecided = sum(closed_at is None and deadline_at >= end for deadline_at, closed_at in due)
        missed = len(due) - kept - undecided
        table[key] = (
            _rounded(Fraction(100 * kept, kept + missed), 2) if kept + missed else None,
            *(len(found), kept, missed, undecided, len(found) - len(due)),
        )
    return table


def sla_breaches(tasks: list[Task], horizon: date, settings: Settings, chosen: dict[Any, str]) -> Table:
    """Return profile, tasks, decided and broken (reactions first), by day, organization, domain and visibility."""
    overrides, end, table = settings.insights.patterns.overrides_by_domain, _midnight(horizon), {}
    for key, found in _grouped(
        tasks, lambda t: (_day(t.created_at), t.organization_id, t.domain, t.visibility)
    ).items():
        code = overrides.get(key[2]) or chosen.get(key[1], settings.default_profile_key)
        profile = settings.profiles[code]
        reactions = [_verdict(t, [t.first_response, t.completion], profile.reactivity_seconds, end) for t in found]
        closings = [_verdict(t, [t.completion], profile.max_escalation_seconds, end) for t in found]
        table[key] = (
            *(code, len(found)),
            *(sum(v is not None for v in reactions), sum(v is True for v in reactions)),
            *(sum(v is not None for v in closings), sum(v is True for v in closings)),
        )
    return table


def _verdict(task: Task, took: list[int | None], limit: int, end: datetime) -> bool | None:
    known = [seconds for seconds in took if seconds is not None]
    if known:
        return min(known) > limit
    return True if task.closed_at is None and task.created_at + timedelta(seconds=limit) < end else None


def monthly_trends(tasks: list[Task], months: list[date]) -> Table:
    """Return opened, closed, backlog, medians, 90th percentiles, deadlines, missed and share, by month and group."""
    table: Table = {}
    groups = _grouped(
        tasks,
        lambda t: (
            *(t.organization_id, t.label_base, t.label_category, t.domain, t.location, t.severity, t.visibility),
        ),
    )
    for month in months:
        start = _midnight(month)
        end = _midnight(next_month(month))
        for group, members in groups.items():
            opened = [t for t in members if start <= t.created_at < end]
            closed = [t for t in members if start <= (t.closed_at or NEVER) < end]
            backlog = sum(t.created_at < end <= (t.closed_at or NEVER) for t in members)
            due = [t for t in members if start <= (t.deadline_at or NEVER) < end]
            missed = sum((t.closed_at or NEVER) > t.deadline_at for t in due)  # type: ignore[operator]
            if opened or closed or backlog or due:
                responses = sorted(t.first_response for t in opened if t.first_response is not None)
                completions = sorted(t.completion for t in closed if t.completion is not None)
                table[(month, *group)] = (
                    *(len(opened), len(closed), backlog),
                    *(_percentile(responses, 5), _percentile(responses, 9)),
                    *(_percentile(completions, 5), _percentile(completions, 9)),
                    *(len(due), missed, _rounded(Fraction(missed, len(due)), 4) if due else None),
                )
    return table


def next_month(month: date) -> date:
    """Return the first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _percentile(values: list[int], tenths: int) -> Decimal | None:
    """Return the value `tenths` of the way from the lowest to the highest, on a straight line between its neighbors."""
    if not values:
        return None
    whole, rest = divmod((len(values) - 1) * tenths, 10)
    below = Fraction(values[whole])
    return _rounded(below + Fraction(rest, 10) * (values[whole + 1] - below) if rest else below, 1)


def _rounded(value: Fraction, places: int) -> Decimal:
    return (Decimal(value.numerator) / value.denominator).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _grouped(tasks: list[Task], key: Callable[[Task], Key]) -> dict[Key, list[Task]]:
    found: dict[Key, list[Task]] = defaultdict(list)
    for task in tasks:
        found[key(task)].append(task)
    return found
