"""The rows of the pattern tables, stored or expected, and where two lists of them differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from support.warehouse import Warehouse


@dataclass(frozen=True)
class Pattern:
    """One row of a pattern table; pattern_id, is_new and loaded_at left out."""

    review_date: date
    window_start: date
    window_end: date
    organization_id: str
    kind: str
    domain: str | None
    label: str | None
    label_base: int | None
    label_category: int | None
    label_subcategory: int | None
    label_role: str | None
    location: str | None
    severity: str
    event_count: int
    peak_count: int
    peak_first_date: date
    peak_last_date: date
    distinct_sources: int | None
    visible_sources: int | None
    department_count: int | None
    threshold_events: int
    threshold_days: int | None
    threshold_sources: int | None
    threshold_source: str
    profile_code: str
    visibility: str
    first_event_at: datetime
    last_event_at: datetime
    case_ids: tuple[str, ...]
    review_label: str | None

    @property
    def key(self) -> tuple[Any, ...]:
        """Return the identity of a row in its review: its kind and its group."""
        group = (self.domain, self.label, self.location, self.label_category, self.label_subcategory)
        return (self.organization_id, self.kind, *map(str, group))


COLUMNS = tuple(field.name for field in fields(Pattern))
AS_TEXT = {"organization_id": "organization_id::text", "case_ids": "case_ids::text[]"}


def stored_patterns(warehouse: Warehouse, cadence: str, review_date: date) -> list[Pattern]:
    """Return the rows of one review."""
    columns = ", ".join(AS_TEXT.get(name, name) for name in COLUMNS)
    query = f"select {columns} from insights.pattern_{cadence} where review_date = %s"  # noqa: S608 - our own names
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in warehouse.rows(query, review_date)]
    return [Pattern(**row | {"case_ids": tuple(row["case_ids"])}) for row in rows]


def differences(found: Iterable[Pattern], expected: Iterable[Pattern]) -> list[str]:
    """Return a line for each row that is missing, unexpected (also a second one with its key), or has another value."""
    theirs = {pattern.key: pattern for pattern in expected}
    lines = []
    for pattern in found:
        wanted = theirs.pop(pattern.key, None)
        if wanted is None:
            lines.append(f"unexpected: {pattern}")
        elif pattern != wanted:
            values = [(name, getattr(pattern, name), getattr(wanted, name)) for name in COLUMNS]
            wrong = ", ".join(f"{name} is {is_!r}, not {should!r}" for name, is_, should in values if is_ != should)
            lines.append(f"{pattern.key}: {wrong}")
    return lines + [f"missing: {pattern}" for pattern in theirs.values()]
