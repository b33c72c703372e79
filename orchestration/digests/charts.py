"""Draws the charts of a digest, and says in words what each shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.dashboards.chart_files import drawer
from orchestration.dashboards.drawing import CONFIG, Point
from orchestration.digests.contents import Digest
from orchestration.errors import FailedError, MisconfiguredError

WIDTH, HEIGHT = 520, 180
MONTHS_SHOWN = 12
Draw = Callable[[dict[str, Any]], bytes]


@dataclass(frozen=True)
class Chart:
    """A chart: its name, which is a token, its title, its points, and what they say in words.

    `png` is None where charts cannot be drawn or the message would be too large.
    """

    name: str
    title: str
    points: tuple[Point, ...]
    text: str
    png: bytes | None = None


def charts(digest: Digest) -> list[Chart]:
    """Return the charts of a digest without their pictures; without those that have no point."""
    reviews = [
        Point(str(one.review_date), series, count)
        for one in digest.history
        for series, count in (("new", one.new), ("continuing", one.continuing))
    ]
    months = [
        Point(f"{one.month:%Y-%m}", series, count)
        for one in digest.months[-MONTHS_SHOWN:]
        for series, count in (("opened", one.opened), ("closed", one.closed))
    ]
    found = [
        _chart("patterns", f"Patterns at each {digest.asked.cadence} review", reviews),
        _chart("tasks", "Tasks opened and closed by month", months),
    ]
    return [chart for chart in found if chart.points]


def drawn(found: Sequence[Chart], say: Callable[[str], None]) -> list[Chart]:
    """Return the charts with their pictures; if they cannot be drawn, without, and `say` gets the reason."""
    try:
        draw = drawer(Path("chart.png"))
        return [_with_picture(chart, draw) for chart in found]
    except (MisconfiguredError, FailedError) as error:
        say(f"The digest has no pictures. {error}")
        return list(found)


def _with_picture(chart: Chart, draw: Draw) -> Chart:
    return Chart(chart.name, chart.title, chart.points, chart.text, draw(specification(chart)))


def specification(chart: Chart) -> dict[str, Any]:
    """Return the Vega-Lite specification of a chart: stacked or grouped bars over reviews or months."""
    series = list(dict.fromkeys(point.series for point in chart.points))
    is_grouped = chart.name == "tasks"
    color = {"field": "series", "type": "nominal", "title": None, "sort": series}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "padding": 12,
        "title": chart.title,
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": [{"x": p.x, "series": p.series, "y": p.y} for p in chart.points]},
        "mark": "bar",
        "encoding": {
            "x": {"field": "x", "type": "ordinal", "title": None, "axis": {"labelAngle": -40}},
            "y": {"field": "y", "type": "quantitative", "title": None, "axis": {"tickMinStep": 1}},
            "color": color,
            **({"xOffset": {"field": "series", "sort": series}} if is_grouped else {}),
        },
        "config": CONFIG,
    }


def _chart(name: str, title: str, points: Sequence[Point]) -> Chart:
    places = list(dict.fromkeys(point.x for point in points))
    said = (
        f"{place}: " + ", ".join(f"{point.y:g} {point.series}" for point in points if point.x == place)
        for place in places
    )
    return Chart(name, title, tuple(points), f"{title}. {'; '.join(said)}.")
