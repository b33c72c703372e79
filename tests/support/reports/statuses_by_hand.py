"""The status history of tasks and the backlog, counted in plain Python (decisions D204 and D206)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from support.operational_rows import Row

if TYPE_CHECKING:
    from support.reports_by_hand import Task

OPEN = ("PENDING", "IN_PROGRESS", "ON_HOLD", "ESCALATED")
CLOSED = ("COMPLETED", "FAILED", "CANCELLED")
KNOWN = OPEN + CLOSED
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Status:
    """A status of a task, from a moment to another, exclusive; the last one has no end."""

    name: str
    start: datetime
    end: datetime | None
    is_reopening: bool


def statuses_of(task: Row, closed_at: datetime | None, events: Iterable[Row]) -> list[Status]:
    """Return the statuses that a task had, from the events before the horizon; `task` has today's tokens."""
    changes = []
    moves = [event for event in events if event["event_type"] == "status_changed"]
    for event in sorted(moves, key=lambda e: (e["created_at"], str(e["id"]))):
        old, new = (str((event[name] or {}).get("status")).upper() for name in ("old_value", "new_value"))
        if new in KNOWN:
            changes.append((old, new, max(event["created_at"], task["created_at"])))
    first = task["status"] if task["status"] in OPEN else "PENDING"
    if changes:
        first = changes[0][0] if changes[0][0] in KNOWN else "PENDING"
    starts = [(first, task["created_at"]), *((new, moment) for _, new, moment in changes)]
    starts.append((task["status"], max(starts[-1][1], closed_at or starts[-1][1])))
    kept = [start for n, start in enumerate(starts) if n == 0 or start[0] != starts[n - 1][0]]
    ends = [moment for _, moment in kept[1:]] + [None]
    return [
        Status(name, start, end, n > 0 and kept[n - 1][0] in CLOSED and name in OPEN)
        for n, ((name, start), end) in enumerate(zip(kept, ends, strict=True))
    ]


def backlog(tasks: Iterable[Task], first: date, until: date) -> dict[tuple[Any, ...], int]:
    """Return open tasks by organization, day, domain, severity, visibility and band of age; days before `until`."""
    is_open = Counter[tuple[Any, ...]]()
    for task in tasks:
        born = task.created_at.astimezone(UTC).date()
        subject = (task.domain or "", task.severity, task.visibility)
        day, statuses = max(first, born), iter(task.statuses)
        status, midnight = next(statuses), datetime(day.year, day.month, day.day, tzinfo=UTC)
        while day < until:
            midnight += DAY
            while status.end is not None and status.end < midnight:  # each begins where the former ends
                status = next(statuses)
            if status.name in OPEN:
                is_open[(task.organization_id, day, *subject, _band((day - born).days))] += 1
            day += DAY
            if status.end is None and status.name in CLOSED:
                break
    return dict(is_open)


def _band(age: int) -> str:
    return "0-1" if age <= 1 else "2-7" if age <= 7 else "8-30" if age <= 30 else "over 30"
