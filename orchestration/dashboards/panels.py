"""The panels of a dashboard: rows of a model, what their columns mean, and how they are drawn (docs/dashboards.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, get_args

from pydantic import Field

from orchestration.config.tokens import Section, Text

SqlText = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]

NumberUnit = Literal["count", "seconds", "share", "percent"]
TimeUnit = Literal["day", "month", "moment"]
TextUnit = Literal["text", "token", "place", "flag", "code", "pattern_id", "case_id", "task_id"]
Unit = Literal[NumberUnit, TimeUnit, TextUnit]
NUMBERS: tuple[NumberUnit, ...] = get_args(NumberUnit)
ADDITIVE = ("count", "seconds")  # sums of them have a meaning
CALENDAR = ("day", "month")
Mistake = tuple[str, str]  # a key, and what is wrong with it


class Chart(Section):
    """A drawing of a panel's rows: `y` over `x`, with a line or bar for each measure, or for each value of `series`.

    Rows that differ only in other dimensions are added up.
    """

    mark: Literal["line", "bar"]
    x: Name
    y: Annotated[list[Name], Field(min_length=1)]
    series: Name | None = None
    stack: bool = False


class Drill(Section):
    """Where a row leads: to the patterns, or to another dashboard.

    `by` gives its parameters the values of columns of the row, `fixed` gives them texts.
    """

    to: Name
    by: Annotated[dict[Name, Name], Field(min_length=1)]
    fixed: dict[Name, Text] = Field(default_factory=dict)


class Columns(Section):
    """The columns of a panel. `units` and `titles` are by column; what they leave out has a default."""

    dimensions: dict[Name, SqlText] = Field(default_factory=dict)
    measures: Annotated[dict[Name, SqlText], Field(min_length=1)]
    units: dict[Name, Unit] = Field(default_factory=dict)
    titles: dict[Name, Text] = Field(default_factory=dict)
    order: SqlText
    chart: Chart | None = None

    def unit(self, column: str) -> Unit:
        """Return the unit of a column; default: text for a dimension, count for a measure."""
        return self.units.get(column, "text" if column in self.dimensions else "count")

    def title(self, column: str) -> str:
        """Return what people read above a column; default: its name in words."""
        return self.titles.get(column, column.replace("_", " ").capitalize())

    def mistakes(self) -> Iterator[Mistake]:
        """Yield each key that names no column, or draws what has no meaning."""
        columns = {*self.dimensions, *self.measures}
        for key, named in (("units", self.units), ("titles", self.titles)):
            for name in sorted(named.keys() - columns):
                yield f"{key}.{name}", f"is not a column. The columns: {_listed(columns)}"
        if self.chart:
            yield from ((f"chart.{key}", says) for key, says in self._wrongly_drawn(self.chart))

    def _wrongly_drawn(self, chart: Chart) -> Iterator[Mistake]:
        for key, name in (("x", chart.x), ("series", chart.series)):
            if name is not None and name not in self.dimensions:
                yield key, f"{name} is not a dimension. The dimensions: {_listed(self.dimensions)}"
        if unknown := [name for name in chart.y if name not in self.measures]:
            yield "y", f"{unknown[0]} is not a measure. The measures: {_listed(self.measures)}"
            return
        units = {self.unit(name) for name in chart.y}
        unit = self.unit(chart.y[0])
        if len(set(chart.y)) < len(chart.y):
            yield "y", "must be distinct"
        elif len(units) > 1:
            yield "y", f"has the units {_listed(units)}; one axis shows one unit"
        elif unit not in NUMBERS:
            yield "y", f"has the unit {unit}; only {', '.join(NUMBERS)} can be drawn"
        if chart.series == chart.x:
            yield "series", f"{chart.x} is x already"
        if chart.series and len(chart.y) > 1:
            yield "y", "must be one measure, because each value of series has a line or bar"
        if chart.mark == "line" and self.unit(chart.x) not in CALENDAR:
            yield "mark", f"a line needs a day or month as x; {chart.x} has the unit {self.unit(chart.x)}; write bar"
        if chart.stack and not (chart.series or len(chart.y) > 1):
            yield "stack", "needs series, or several measures"
        if chart.stack and unit not in ADDITIVE:
            yield "stack", f"would add up values of the unit {unit}; only {', '.join(ADDITIVE)} can be added up"
        others = sorted(self.dimensions.keys() - {chart.x, chart.series})
        if others and unit not in ADDITIVE:
            yield (
                "y",
                f"has the unit {unit}, which cannot be added up over {', '.join(others)}; draw them as x or series",
            )


class AnonymisedPanel(Columns):
    """The anonymised form of a panel: all four visibilities, without groups smaller than `exports.min_group_size`."""

    group_size: SqlText


class Panel(Columns):
    """One table of a dashboard: measures of a model, grouped by dimensions, ordered, at most `limit` rows."""

    description: Text
    model: Name
    where: SqlText = "true"
    limit: Annotated[int, Field(gt=0, le=10000)]
    drill: Drill | None = None
    anonymised: AnonymisedPanel | None = None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
