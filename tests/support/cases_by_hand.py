"""What the reviews ask of one case (decisions D4, D5 and rule 4 of the design), in plain Python.

Trimming takes spaces away, and nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from support.operational_rows import Row, printed

VISIBILITIES = ("PUBLIC", "INTERNAL", "RESTRICTED", "ANONYMISED")
UNRESOLVED = ("open", "in_progress")
LEVELS = ("1", "2", "11", "101", "1001")
BROADCASTS = ("10", "100", "1000")


class Label(NamedTuple):
    """A label that parses (source contract, section 3)."""

    base: int
    category: int
    subcategory: int
    role: str | None

    @property
    def is_broadcast(self) -> bool:
        return str(self.base) in BROADCASTS


@dataclass(frozen=True)
class Event:
    """One case as the rules see it; `closed_at` is None while it is unresolved."""

    case_id: str
    organization_id: str
    opened_at: datetime
    domain: str
    label: str
    parts: Label | None
    location: str | None
    severity: str
    visibility: str
    strictest: str
    sources: frozenset[str]
    visible_sources: frozenset[str]
    is_risky: bool
    closed_at: datetime | None
    deadline_at: datetime | None

    @property
    def day(self) -> date:
        return self.opened_at.astimezone(UTC).date()


def event_of(
    case: Row, tasks: list[Row], persons: dict[str, Row], *, default_visibility: str, has_risk_label: bool
) -> Event:
    """Return a case as the patterns see it, with the tasks that count for it."""
    label = case["label"].strip(" ")
    return Event(
        case_id=case["id"],
        organization_id=case["organization_id"],
        opened_at=case["created_at"],
        domain=domain_of(tasks),
        label=label,
        parts=parse_label(label),
        location=None if case["location"] in (None, {}, "") else printed(case["location"]),
        severity=case["severity"],
        visibility=pattern_visibility_of(case, tasks, persons, default_visibility),
        strictest=strictest_of(case, tasks, persons, default_visibility),
        sources=sources_of(case, tasks, persons),
        visible_sources=sources_of(case, open_tasks_of(case, tasks, persons, default_visibility), persons),
        is_risky=has_risk_label or case["severity"] in ("MAJOR", "CRITICAL"),
        closed_at=None if case["status"] in UNRESOLVED else max(case["created_at"], case["updated_at"]),
        deadline_at=None if case["reactivity_time"] is None else case["created_at"] + case["reactivity_time"],
    )


def parse_label(text: str) -> Label | None:
    """Return the parts of a label; None when it does not parse."""
    base, *rest = text.split(".")
    if base not in LEVELS + BROADCASTS or not rest:
        return None
    kind, *roles = rest
    if len(kind) != 2 or kind[0] not in "123456789" or kind[1] not in "12345":
        return None
    if any(not role.strip(" ") for role in roles):
        return None
    return Label(int(base), int(kind[0]), int(kind[1]), ".".join(roles) or None)


def domain_of(tasks: list[Row]) -> str:
    """Return the type of most tasks; of several, the first in C order."""
    if not tasks:
        return "generic"
    counted = Counter(str(task["type"]).strip(" ") for task in tasks)
    return min((t for t in counted if counted[t] == max(counted.values())), key=str.encode)


def sources_of(case: Row, tasks: list[Row], persons: dict[str, Row]) -> frozenset[str]:
    """Return the reporters of a case (decision D4), ids prefixed by kind."""
    if tasks:
        return frozenset(_source_of(task, persons) for task in tasks)
    reference = (case["source_reference"] or "").strip(" ")
    return frozenset([f"reference:{reference}" if reference else f"channel:{case['source_type']}"])


def _source_of(task: Row, persons: dict[str, Row]) -> str:
    requester: str | None
    requester, creator = task["requester_person_id"], task["created_by_user_id"]
    if requester is not None:
        user = persons.get(requester, {}).get("linked_user_id")
        return f"user:{user}" if user else f"person:{requester}"
    return f"user:{creator}" if creator else f"channel:{task['source']}"


def visibility_of(case: Row, tasks: list[Row], persons: dict[str, Row], default: str) -> str:
    """Return a case's visibility: its own, its tasks' strictest or the default; RESTRICTED for sensitive persons."""
    own = from_metadata(case, "visibility")
    if own is not None:
        found = own.strip(" ").upper() if own.strip(" ").upper() in VISIBILITIES else "RESTRICTED"
    else:
        found = max((str(task["visibility"]) for task in tasks), key=VISIBILITIES.index, default=default)
    requesters = [task["requester_person_id"] for task in tasks if task["requester_person_id"] is not None]
    if any(persons.get(person, {}).get("confidentiality_level") != "normal" for person in requesters):
        found = max(found, "RESTRICTED", key=VISIBILITIES.index)
    return found


def pattern_visibility_of(case: Row, tasks: list[Row], persons: dict[str, Row], default: str) -> str:
    """Return the visibility with which a case counts: its tasks' if its stricter tasks decide its domain (D165)."""
    if domain_of(tasks) == domain_of(open_tasks_of(case, tasks, persons, default)):
        return visibility_of(case, tasks, persons, default)
    return strictest_of(case, tasks, persons, default)


def strictest_of(case: Row, tasks: list[Row], persons: dict[str, Row], default: str) -> str:
    """Return the visibility of a case or of its strictest task, whichever is stricter."""
    found = visibility_of(case, tasks, persons, default)
    return max([found, *(str(task["visibility"]) for task in tasks)], key=VISIBILITIES.index)


def open_tasks_of(case: Row, tasks: list[Row], persons: dict[str, Row], default: str) -> list[Row]:
    """Return the tasks that are not stricter than the visibility that the case itself has, if any (D157)."""
    if from_metadata(case, "visibility") is None:
        return tasks
    own = visibility_of(case, [], persons, default)
    return [t for t in tasks if VISIBILITIES.index(t["visibility"]) <= VISIBILITIES.index(own)]


def from_metadata(case: Row, key: str) -> str | None:
    """Return the value of a key of the metadata; None if there is no such object."""
    found = case["metadata"].get(key) if isinstance(case["metadata"], dict) else None
    return None if found is None else str(found)
