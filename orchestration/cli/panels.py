"""Prints the panels of a dashboard: for people on a terminal, and with the names of their columns in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from orchestration.cli.screen import Bar
from orchestration.cli.tables import show_table
from orchestration.cli.texts import say
from orchestration.dashboards.changes import changes
from orchestration.dashboards.panels import Columns
from orchestration.dashboards.units import heading, readable, shown

Content = Mapping[str, Any]


def show_panel(name: str, columns: Columns, content: Content) -> None:
    """Print a panel below its name and the day up to which its data goes (exclusive)."""
    rows = content["rows"]
    if "missing" in content:
        say(f"{name}: its model {content['missing']} is not built yet.", bold=True)
        return
    if sys.stdout.isatty():
        title = f"{name.replace('_', ' ').capitalize()}, data before {content['horizon']} (UTC)"
        show_table(*_for_people(columns, content), title=title)
    else:
        cells = [[readable(columns.unit(column), value) for column, value in row.items()] for row in rows]
        show_table(cells, list(rows[0]) if rows else [], title=f"{name}, up to {content['horizon']}")
    if not rows:
        say("  (no rows)")
    if content["left_out"]:
        say(f"  and {content['left_out']:,} more")


def _for_people(columns: Columns, content: Content) -> tuple[list[list[object]], list[str]]:
    """Return rows and header: titles with units, and for a chart the change and the bar of its first measure.

    A single row is no chart.
    """
    rows = content["rows"]
    names = list(rows[0]) if rows else []
    header = [heading(columns.unit(name), columns.title(name)) for name in names]
    cells = [[shown(columns.unit(name), row[name]) for name in names] for row in rows]
    chart = columns.chart
    if not chart or len(rows) < 2:  # noqa: PLR2004 - a chart compares
        return cells, header
    after = names.index(chart.y[0]) + 1
    measures = [row[chart.y[0]] for row in rows]
    top = max((value for value in measures if isinstance(value, int | float)), default=0)
    bars = [Bar(value / top if top > 0 and isinstance(value, int | float) else 0) for value in measures]
    over_time = changes(columns, rows, content["horizon"])
    added = [[*([change] if over_time else []), bar] for change, bar in zip(over_time or measures, bars, strict=True)]
    return (
        [[*row[:after], *more, *row[after:]] for row, more in zip(cells, added, strict=True)],
        [*header[:after], *(["Change"] if over_time else []), "", *header[after:]],
    )
