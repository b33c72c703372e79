"""Compares each row of a panel over time with the row of the period before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from orchestration.dashboards.panels import ADDITIVE, CALENDAR, Columns
from orchestration.dashboards.units import PERCENT_OF, signed

Row = Mapping[str, object]


def changes(columns: Columns, rows: Sequence[Row], horizon: str) -> list[str | None] | None:
    """Return for each row how the first measure of the chart differs from the day or month before.

    Counts and durations differ by a percentage, shares by percentage points (pp). The period before is the row with the
    same other dimensions; None where there is none, where it was 0, and for a month that had not ended by `horizon`,
    an ISO date. Returns None for a panel whose chart is not over days or months.
    """
    chart = columns.chart
    if chart is None or columns.unit(chart.x) not in CALENDAR:
        return None
    others = [name for name in columns.dimensions if name != chart.x]
    measure, is_month = chart.y[0], columns.unit(chart.x) == "month"
    values = {(_period(row[chart.x]), *(row[name] for name in others)): row[measure] for row in rows}

    def change(row: Row) -> str | None:
        period = _period(row[chart.x])
        if period is None or (is_month and _after(period) > date.fromisoformat(horizon)):
            return None
        before = (period - timedelta(days=1)).replace(day=1) if is_month else period - timedelta(days=1)
        return _difference(columns, measure, row[measure], values.get((before, *(row[name] for name in others))))

    return [change(row) for row in rows]


def _period(value: object) -> date | None:
    return date.fromisoformat(str(value)[:10]) if value is not None else None


def _after(month: date) -> date:
    """Return the first day of the next month."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def _difference(columns: Columns, measure: str, now: object, before: object) -> str | None:
    if not isinstance(now, int | float) or not isinstance(before, int | float):
        return None
    unit = columns.unit(measure)
    if unit in ADDITIVE:
        return f"{signed(100 * (now - before) / before)}%" if before else None
    return f"{signed((now - before) * PERCENT_OF[unit])} pp"
