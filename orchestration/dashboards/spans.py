"""Measures and metrics of a mart whose rows stand for spans of days, in the form of MetricFlow (decision D271).

MetricFlow groups a row by one date and cannot repeat it for each day of a span. What stands on a day is the sum of the
spans that have begun by then, less the sum of those that ended before it: the difference of two cumulative metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

BEGUN, ENDED = "begun", "ended"
PARTS = {BEGUN: "in spans that have begun", ENDED: "in spans that ended on an earlier day"}

Span = tuple[str, str]  # the columns of the first and the last day; the last day of a span that still stands is NULL


def day_after(span: Span) -> str:
    """Return the name of the time dimension of the day after a span."""
    return f"after_{span[1]}"


def span_times(span: Span) -> dict[str, str]:
    """Return the time dimensions of a span, as SQL by name."""
    return {span[0]: span[0], day_after(span): f"{span[1]} + 1"}


def span_measures(measure: Mapping[str, Any], span: Span) -> Iterator[dict[str, Any]]:
    """Yield the two measures of a sum over spans: dated by the first day, and by the day after the last."""
    first, last = span
    ended = f"case when {last} is not null then {measure['expr']} end"
    yield {**measure, "name": f"{measure['name']}_{BEGUN}", "agg_time_dimension": first}
    yield {**measure, "name": f"{measure['name']}_{ENDED}", "expr": ended, "agg_time_dimension": day_after(span)}


def span_metrics(metric: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the metric of a sum over spans and the two that it is made of.

    By week, month or year they say how things stood on its last day.
    """
    measure = metric["type_params"]["measure"]
    parts = {part: f"{metric['name']}_{part}" for part in PARTS}
    yield {
        **metric,
        "type": "derived",
        "type_params": {
            "expr": f"{parts[BEGUN]} - coalesce({parts[ENDED]}, 0)",
            "metrics": [{"name": name} for name in parts.values()],
        },
    }
    for part, name in parts.items():
        yield {
            "name": name,
            "label": f"{metric['label']}, {part}",
            "description": f"{metric['label']} {PARTS[part]}.",
            "type": "cumulative",
            "type_params": {
                "measure": f"{measure}_{part}",
                "cumulative_type_params": {"period_agg": "last"},
            },
        }
