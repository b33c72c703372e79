"""How busy and how fast an organization of the sample is on a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from workshop.sample.scenario import WINDOW_DAYS, WINDOW_START, Organization, Period

SATURDAY = 5


def activity(spec: Organization, day: date) -> float:
    """Return the organization's activity on a local day, at most `most_activity(spec)`."""
    usual: float = spec.month_weights[day.month - 1] * spec.weekday_weights[day.weekday()]
    for period in _periods(spec, day):
        usual *= period.activity
    return usual


def most_activity(spec: Organization) -> float:
    """Return an upper bound of the organization's activity on a day."""
    factor = max((period.activity for period in spec.periods), default=1.0)
    return max(spec.month_weights) * max(spec.weekday_weights) * max(factor, 1.0)


def delay(spec: Organization, day: date) -> float:
    """Return the factor of the organization's median durations for work that arrives on a local day."""
    first, last = spec.pace
    factor = first + (last - first) * (day - WINDOW_START.date()).days / WINDOW_DAYS
    if day.weekday() >= SATURDAY:
        factor *= spec.weekend_delay
    for period in _periods(spec, day):
        factor *= period.delay
    return factor


def _periods(spec: Organization, day: date) -> Iterator[Period]:
    return (period for period in spec.periods if period.first <= day <= period.last)
