"""The measures of the dashboards as dbt semantic models and metrics, for MetricFlow (docs/dashboards.md).

They are made from the panels, so that a measure is defined once. A panel with conditions of its own, beside those that
its parameters set, is left out: its measures are of something else than the rows of its model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.dashboards.definitions import ORGANIZATIONS, Dashboard
from orchestration.dashboards.panels import CALENDAR, Panel
from orchestration.dashboards.spans import Span, span_measures, span_metrics, span_times
from orchestration.manifest import marts, nodes

ENTITY, VISIBILITY, REPORT_DATE = "organization", "visibility", "report_date"
SNAPSHOT_BY = "snapshot_by"  # the key of `config.meta`
_CALL = re.compile(r"\b(sum|count|min|max|avg)\((distinct )?")
_NAMES = {"avg": "average"}  # of functions that MetricFlow calls otherwise
_FILTER = re.compile(r"\s*filter\s*\(\s*where\s+", re.I)
_COLUMN = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class Aggregate:
    """One aggregate of a measure's SQL: the function of MetricFlow, and what it is of."""

    function: str
    expression: str


@dataclass
class _Model:
    """What is gathered of one mart: the calendar column and its granularity, dimensions, measures and metrics."""

    name: str
    columns: Mapping[str, Mapping[str, Any]]
    snapshot_by: str | None
    span: Span | None
    times: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, str] = field(default_factory=dict)
    measures: dict[Aggregate, str] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """What the names of measures and metrics begin with."""
        return self.name.removeprefix("report_")

    def label(self, title: str) -> str:
        """Return what people read of a metric, which MetricFlow wants to be unique."""
        return f"{title} ({self.prefix.replace('_', ' ')})"


def semantic_models(manifest: Mapping[str, Any], dashboards: Mapping[str, Dashboard]) -> dict[str, Any]:
    """Return the semantic models and metrics of the dashboards in the form of a properties file of dbt.

    A metric is named by its mart and measure, such as `task_volume_tasks`.
    """
    known = {node["name"]: node for node in nodes(manifest)}
    found: dict[str, _Model] = {}
    for dashboard in dashboards.values():
        for panel in dashboard.meta.panels.values():
            if panel.model not in marts(manifest) or not _is_of_whole_model(panel):
                continue
            model = found.setdefault(panel.model, _model(known[panel.model]))
            _add_dimensions(model, panel)
            for name, expression in panel.measures.items():
                if "{" not in expression and _has_date(model, expression):
                    _add_metric(model, name, panel.title(name), expression)
    # MetricFlow needs a date for each measure.
    dated = [(model, time) for _, model in sorted(found.items()) if (time := _time(model))]
    return {
        "version": 2,
        "semantic_models": [_organizations(), *(_semantic_model(model, time) for model, time in dated)],
        "metrics": [metric for model, _ in dated for metric in _metrics(model)],
    }


def aggregates(expression: str) -> tuple[list[Aggregate], str]:
    """Return the aggregates of a measure's SQL, and the SQL with `{0}`, `{1}`... in their places."""
    found: list[Aggregate] = []
    rest, position = "", 0
    while match := _CALL.search(expression, position):
        end = _closing(expression, match.end())
        inside = expression[match.end() : end - 1]
        function = f"{match.group(1)}_distinct" if match.group(2) else _NAMES.get(match.group(1), match.group(1))
        value = "1" if inside == "*" else inside
        if condition := _FILTER.match(expression, end):
            end = _closing(expression, condition.end())
            value = f"case when {expression[condition.end() : end - 1]} then {value} end"
        function = "sum" if inside == "*" else function
        found.append(Aggregate(function, value))
        rest += expression[position : match.start()] + f"{{{len(found) - 1}}}"
        position = end
    return found, rest + expression[position:]


def _closing(text: str, position: int) -> int:
    """Return the position after the parenthesis that closes the one before `position`."""
    depth = 1
    while depth:
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        position += 1
    return position


def _model(node: Mapping[str, Any]) -> _Model:
    by = node["config"]["meta"].get(SNAPSHOT_BY)
    date, span = (None, (by[0], by[1])) if isinstance(by, list) else (by, None)
    return _Model(node["name"], node["columns"], date, span)


def _is_of_whole_model(panel: Panel) -> bool:
    """Return whether each condition of a panel is set by a parameter or the horizon."""
    conditions = re.split(r"\band\b", panel.where)
    return panel.where == "true" or all("{" in condition for condition in conditions)


def _add_dimensions(model: _Model, panel: Panel) -> None:
    plain = {name: column for name, column in panel.dimensions.items() if column in model.columns}
    for name, column in plain.items():
        if panel.unit(name) in CALENDAR:
            model.times[column] = str(panel.unit(name))
        elif not panel.unit(name).endswith("_id"):
            model.dimensions.setdefault(column, panel.title(name))
    if VISIBILITY in model.columns:
        model.dimensions.setdefault(VISIBILITY, "Visibility")


def _has_date(model: _Model, expression: str) -> bool:
    """Return whether a measure can be told for a date: of spans, only sums can."""
    return model.span is None or all(each.function == "sum" for each in aggregates(expression)[0])


def _add_metric(model: _Model, name: str, title: str, expression: str) -> None:
    found, rest = aggregates(expression)
    measures = [model.measures.setdefault(each, _measure_name(model, name, each, len(found))) for each in found]
    metric: dict[str, Any] = {
        "name": f"{model.prefix}_{name}",
        "label": model.label(title),
        "description": f"{title}: {expression}.",
    }
    if rest == "{0}":
        metric |= {"type": "simple", "type_params": {"measure": measures[0]}}
    else:
        parts = [_simple_metric(model, measure) for measure in measures]
        params = {"expr": rest.format(*parts), "metrics": [{"name": part} for part in dict.fromkeys(parts)]}
        metric |= {"type": "derived", "type_params": params}
    model.metrics.setdefault(metric["name"], metric)


def _measure_name(model: _Model, name: str, aggregate: Aggregate, count: int) -> str:
    """Return the name of a measure: the metric's if it is all of it, else that of its column."""
    own = aggregate.expression if count > 1 and _COLUMN.fullmatch(aggregate.expression) else name
    return f"{model.prefix}_{own}"


def _simple_metric(model: _Model, measure: str) -> str:
    """Return the name of the metric of a measure alone, which a derived metric is made of."""
    for name, metric in model.metrics.items():
        if metric["type_params"].get("measure") == measure:
            return name
    label = measure.removeprefix(f"{model.prefix}_").replace("_", " ").capitalize()
    params = {"measure": measure}
    model.metrics[measure] = {
        "name": measure,
        "label": model.label(label),
        "description": f"{label}.",
        "type": "simple",
        "type_params": params,
    }
    return measure


def _time(model: _Model) -> str | None:
    """Return the column that says which day or month a row belongs to, or from which day on it counts."""
    return model.span[0] if model.span else model.snapshot_by or next(iter(model.times), None)


def _time_name(column: str) -> str:
    """Return the name of a time dimension; that of a granularity is reserved."""
    return REPORT_DATE if column in CALENDAR else column


def _semantic_model(model: _Model, time: str) -> dict[str, Any]:
    times = {_time_name(column): (column, unit) for column, unit in {time: "day", **model.times}.items()}
    if model.span:
        times |= {name: (expression, "day") for name, expression in span_times(model.span).items()}
    return {
        "name": model.name,
        "description": f"The rows of {model.name} as dashboards count them.",
        "model": f"ref('{model.name}')",
        "defaults": {"agg_time_dimension": _time_name(time)},
        "primary_entity": f"{model.name}_row",
        "entities": [{"name": ENTITY, "type": "foreign", "expr": "organization_id"}],
        "dimensions": [
            *(
                {"name": name, "type": "time", "expr": expression, "type_params": {"time_granularity": unit}}
                for name, (expression, unit) in times.items()
            ),
            *({"name": column, "type": "categorical", "label": title} for column, title in model.dimensions.items()),
        ],
        "measures": list(_measures(model)),
    }


def _measures(model: _Model) -> Iterator[dict[str, Any]]:
    for aggregate, name in model.measures.items():
        measure: dict[str, Any] = {"name": name, "agg": aggregate.function, "expr": aggregate.expression}
        if model.span:
            yield from span_measures(measure, model.span)
            continue
        columns = [model.columns[word] for word in _COLUMN.findall(aggregate.expression) if word in model.columns]
        by = [column["config"]["meta"].get(SNAPSHOT_BY) for column in columns]
        if over := next(filter(None, [model.snapshot_by, *by]), None):
            measure["non_additive_dimension"] = {"name": _time_name(over), "window_choice": "max"}
        yield measure


def _metrics(model: _Model) -> Iterator[dict[str, Any]]:
    for _, metric in sorted(model.metrics.items()):
        if model.span and metric["type"] == "simple":
            yield from span_metrics(metric)
        else:
            yield metric


def _organizations() -> dict[str, Any]:
    return {
        "name": ENTITY,
        "description": "Organizations, by their short names.",
        "model": f"ref('{ORGANIZATIONS}')",
        "entities": [{"name": ENTITY, "type": "primary", "expr": "organization_id"}],
        "dimensions": [{"name": "slug", "type": "categorical"}],
    }
