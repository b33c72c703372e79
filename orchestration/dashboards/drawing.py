"""Turns the charted panels of an answer into one Vega-Lite specification (docs/dashboards.md)."""

from __future__ import annotations

import math
import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.dashboards.definitions import Dashboard
from orchestration.dashboards.panels import CALENDAR, Chart, Columns, Unit
from orchestration.dashboards.units import DAY, PERCENT_OF, duration, words
from orchestration.errors import BadInputError

Json = dict[str, Any]

WIDTH, HEIGHT = 640, 220  # of the drawing of one panel, without its axes
LINE = 105  # characters that fit above a drawing
CHARACTER = 7  # the width of one below a drawing
TICKS = 6
BAND = 130  # the most that a text and its bars take below a drawing
# Steps of an axis of durations: seconds, minutes, hours and days as people count them.
STEPS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY)
COLORS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#888888",
)  # Tol's, for colour-blind readers
DATE_FORMATS = {"day": "%-d %b %Y", "month": "%b %Y"}
CONFIG: Json = {
    "font": "sans-serif",
    "range": {"category": list(COLORS)},
    "view": {"stroke": None},
    "axis": {"grid": False, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": 150},
    "axisY": {"grid": True, "gridColor": "#e4e4e4", "domain": False, "ticks": False},
    "legend": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "columns": 1},
    "title": {
        "anchor": "start",
        "frame": "group",
        "subtitleColor": "#555",
        "offset": 14,
        "fontSize": 13,
        "subtitleFontSize": 11,
    },
}


@dataclass(frozen=True)
class Point:
    """One mark of a drawing: `y` over `x` in a series, which is empty where there is only one."""

    x: str
    series: str
    y: float


@dataclass(frozen=True)
class Drawn:
    """One panel with the columns of the form that was asked for; they have a chart."""

    description: str
    columns: Columns


def charted(dashboard: Dashboard, chosen: Sequence[str], *, is_anonymised: bool) -> dict[str, Drawn]:
    """Return the chosen panels of a dashboard by name, without a choice all that have a chart.

    Raises BadInputError for a panel that does not exist or has no chart, and if no panel has one.
    """
    forms = {name: (is_anonymised and panel.anonymised) or panel for name, panel in dashboard.meta.panels.items()}
    having = [name for name, columns in forms.items() if columns.chart]
    if not having:
        raise BadInputError(f"Dashboard {dashboard.name} declares no chart{' in this form' * is_anonymised}.")
    for name in chosen:
        if name not in having:
            why = "has no chart" if name in forms else "does not exist"
            raise BadInputError(f"Panel {name} of {dashboard.name} {why}. These have one: {', '.join(having)}.")
    return {
        name: Drawn(dashboard.meta.panels[name].description, forms[name])
        for name in having
        if not chosen or name in chosen
    }


def specification(heading: str, sentences: Sequence[str], panels: Mapping[str, Drawn], contents: Json) -> Json:
    """Return the specification of one picture of these panels, from the contents of an answer.

    `heading` and `sentences` stand above the drawings.
    """
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "padding": 20,
        "title": {
            "text": heading,
            "subtitle": _lines(*sentences),
            "fontSize": 18,
            "subtitleFontSize": 12,
            "offset": 18,
        },
        "vconcat": [_drawing(name, drawn, contents[name]) for name, drawn in panels.items()],
        "spacing": 36,
        "resolve": {"scale": {"color": "independent"}},
        "config": CONFIG,
    }


def points(columns: Columns, chart: Chart, rows: Sequence[Json]) -> list[Point]:
    """Return the marks of a chart in the order of the rows; rows that differ in other dimensions only are added up.

    Shares are in percent. Values that are missing, such as the share of nothing, have no mark.
    """
    sums: dict[tuple[str, str], float] = {}
    for row in rows:
        for measure in chart.y:
            if row[measure] is None:
                continue
            key = (_text(columns, chart.x, row[chart.x]), _series(columns, chart, row, measure))
            sums[key] = sums.get(key, 0) + row[measure] * PERCENT_OF.get(columns.unit(measure), 1)
    return [Point(x, series, y) for (x, series), y in sums.items()]


def _series(columns: Columns, chart: Chart, row: Json, measure: str) -> str:
    if chart.series:
        return _text(columns, chart.series, row[chart.series])
    return columns.title(measure) if len(chart.y) > 1 else ""


def _text(columns: Columns, column: str, value: object) -> str:
    unit = columns.unit(column)
    return str(value) if unit in CALENDAR and value is not None else words(unit, value)


def _drawing(name: str, drawn: Drawn, content: Json) -> Json:
    columns, chart = drawn.columns, drawn.columns.chart
    title = {"text": name.replace("_", " ").capitalize(), "subtitle": _lines(drawn.description, _about(content))}
    found = points(columns, chart, content["rows"]) if chart else []
    if not (chart and found):
        empty = {"data": {"values": [{}]}, "mark": {"type": "text", "align": "left", "x": 0, "text": "No rows."}}
        return {"title": title, "width": WIDTH, "height": 20, **empty}
    return {"title": title, "width": _width(columns, chart, found), "height": HEIGHT, **_marks(columns, chart, found)}


def _width(columns: Columns, chart: Chart, found: list[Point]) -> int:
    if columns.unit(chart.x) in CALENDAR:
        return WIDTH
    return min(WIDTH, BAND * len({point.x for point in found}))


def _about(content: Json) -> str:
    if "missing" in content:
        return f"Not drawn: the model {content['missing']} is not built yet."
    left_out = f" {content['left_out']:,} more rows are not drawn." if content["left_out"] else ""
    return f"Data up to {content['horizon']}.{left_out}"


def _marks(columns: Columns, chart: Chart, found: list[Point]) -> Json:
    unit = columns.unit(chart.y[0])
    values = [
        {"x": point.x, "series": point.series, "y": point.y, "label": _label(unit, columns, chart, point)}
        for point in found
    ]
    encoding: Json = {"x": _x(columns, chart, found), "y": _y(columns, chart, unit, found)}
    if any(point.series for point in found):
        sizes: dict[str, float] = defaultdict(float)
        for point in found:
            sizes[point.series] += point.y
        names = sorted(sizes, key=lambda name: -sizes[name])  # the largest has the first colour
        title = columns.title(chart.series) if chart.series else None
        encoding["color"] = {"field": "series", "type": "nominal", "title": title, "sort": names}
        if chart.mark == "bar" and not chart.stack:
            encoding["xOffset"] = {"field": "series", "sort": names}
    labelled = {"description": {"field": "label", "type": "nominal"}}
    if chart.mark == "bar":
        return {"data": {"values": values}, "mark": "bar", "encoding": encoding | labelled}
    over = (
        {"mark": {"type": "area", "opacity": 0.7, "aria": False}}
        if chart.stack
        else {"mark": {"type": "line", "aria": False}}
    )
    point_layer = {"mark": {"type": "point", "filled": True, "size": 22}, "encoding": labelled}
    return {"data": {"values": values}, "encoding": encoding, "layer": [over, point_layer]}


def _x(columns: Columns, chart: Chart, found: list[Point]) -> Json:
    unit = columns.unit(chart.x)
    axis: Json = {"labelOverlap": True}
    if unit in CALENDAR:
        axis["format"] = DATE_FORMATS[unit]
        is_grouped = chart.mark == "bar" and not chart.stack and any(point.series for point in found)
        kind = "ordinal" if is_grouped else "temporal"
        step = "utcyearmonth" if unit == "month" else "utcyearmonthdate"
        return {"field": "x", "type": kind, "timeUnit": step, "title": None, "axis": axis}
    names = list(dict.fromkeys(point.x for point in found))
    fits = CHARACTER * max(map(len, names)) <= _width(columns, chart, found) / len(names)
    axis |= {"labelAngle": 0 if fits else -40, "labelOverlap": False}
    return {"field": "x", "type": "nominal", "title": columns.title(chart.x), "sort": names, "axis": axis}


def _y(columns: Columns, chart: Chart, unit: Unit, found: list[Point]) -> Json:
    tops: dict[str, float] = defaultdict(float)
    for point in found:
        tops[point.x] = tops[point.x] + point.y if chart.stack else max(tops[point.x], point.y)
    ticks = _ticks(unit, max(tops.values()))
    return {
        "field": "y",
        "type": "quantitative",
        "title": columns.title(chart.y[0]) if len(chart.y) == 1 else None,
        "axis": {"values": ticks, "labelExpr": _lookup(unit, ticks)},
        "scale": {"domain": [0, ticks[-1]]},
        "stack": "zero" if chart.stack else None,
    }


def _ticks(unit: Unit, top: float) -> list[int]:
    """Return whole values from 0 to at least `top`, at most TICKS + 1 of them where people count in such steps."""
    steps = STEPS if unit == "seconds" else [times * 10**zeros for zeros in range(15) for times in (1, 2, 5)]
    step = next((step for step in steps if top <= step * TICKS), steps[-1])
    return list(range(0, math.ceil(max(top, 1) / step) * step + 1, step))


def _lookup(unit: Unit, ticks: list[int]) -> str:
    """Return a Vega expression for the texts of an axis."""
    return "".join(f"datum.value == {tick} ? '{_shown(unit, tick)}' : " for tick in ticks) + "''"


def _shown(unit: Unit, value: float) -> str:
    """Return a number as people read it; a share is in percent already."""
    if unit in PERCENT_OF:
        return f"{value:,.1f}".removesuffix(".0") + "%"
    return duration(value) if unit == "seconds" else f"{value:,.10g}"


def _label(unit: Unit, columns: Columns, chart: Chart, point: Point) -> str:
    """Return what a screen reader says of a mark: 2025-12-04, In progress: 3."""
    return f"{point.x}, {point.series or columns.title(chart.y[0])}: {_shown(unit, point.y)}"


def _lines(*sentences: str) -> list[str]:
    return [line for sentence in sentences for line in textwrap.wrap(sentence, LINE)]
