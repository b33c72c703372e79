"""The routes that Orgo's own web client calls (decision D184): questions to dashboards in the client's shapes.

They go through the same reader, cache, visibilities and limits as the dashboards that they ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from orchestration.api import client_parameters as given
from orchestration.api import client_shapes as shapes
from orchestration.api import schemas
from orchestration.api.answers import Answered, Reply
from orchestration.api.client_parameters import ORGANIZATION_NAMES, ClientParameter
from orchestration.api.operations import Call, Operation, answered
from orchestration.api.parameters import Pairs
from orchestration.api.problems import enveloped
from orchestration.dashboards.definitions import Dashboard
from orchestration.dashboards.question import Asked, WrongParametersError

VIEW = "view"


@dataclass(frozen=True)
class View:
    """One form of a report: the dashboard that is asked, the shape of the data, and values that are not given."""

    dashboard: str
    shape: Callable[[Answered], object]
    schema: Mapping[str, Any]
    defaults: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """One route of the client. With several views, the parameter `view` chooses one; the first is the default."""

    name: str
    path: str
    summary: str
    views: Mapping[str, View]
    parameters: Sequence[ClientParameter]
    organization_names: tuple[str, ...] = ORGANIZATION_NAMES

    @property
    def default(self) -> View:
        """The view of a request that chooses none."""
        return next(iter(self.views.values()))


REPORTS = (
    Report(
        "client_tasks_volume",
        "/insights/reports/tasks/volume",
        "Number of tasks by date of creation and by a property, by default the status.",
        {"counts": View("task_counts", shapes.volume, shapes.VOLUME)},
        (
            *given.PERIOD,
            given.DOMAIN,
            given.GRANULARITY,
            given.GROUP_BY,
            *map(given.tokens, ("statuses", "priorities", "severities")),
        ),
    ),
    Report(
        "client_sla_breaches",
        "/insights/reports/tasks/sla-breaches",
        "Missed deadlines of tasks: by domain, or with view=tasks one row a task, the longest breach first.",
        {
            "domains": View("missed_deadlines", shapes.domains, shapes.DOMAINS),
            "tasks": View("missed_tasks", shapes.tasks, shapes.TASKS, {"state": "open"}),
        },
        (*given.PERIOD, given.DOMAIN, given.MIN_SEVERITY, given.tokens("statuses"), given.ONLY_OPEN),
    ),
    Report(
        "client_profile_score",
        "/insights/reports/profiles/score",
        "Share of kept deadlines, 0 to 100, and the figures that it is made from, by domain.",
        {"summary": View("deadline_scores", shapes.summary, shapes.SUMMARY)},
        (*given.PERIOD, given.PROFILE),
    ),
    Report(
        "client_overview",
        "/api/admin/insights/overview",
        "The main figures of a timeframe for an administrator, and their change against as many days before.",
        {"overview": View("sla_breaches", shapes.overview, shapes.OVERVIEW, {"days": 60})},
        (given.TIMEFRAME,),
        (),
    ),
)


def client_operations(dashboards: Mapping[str, Dashboard]) -> list[Operation]:
    """Return the operations of the client's routes."""
    return [_operation(report, dashboards) for report in REPORTS]


def _operation(report: Report, dashboards: Mapping[str, Dashboard]) -> Operation:
    dashboard = dashboards[report.default.dashboard]
    query = [described for parameter in report.parameters for described in parameter.described(dashboard)]
    if len(report.views) > 1:
        query.append(_parameter(VIEW, "The form of the data.", {"type": "string", "enum": list(report.views)}))
    for name in report.organization_names:
        query.append(_parameter(name, "Id of the organization: that of the token.", {"type": "string"}))
    data = [dict(view.schema) for view in report.views.values()]
    return Operation(
        report.name,
        report.path,
        report.summary,
        schemas.success(data[0] if len(data) == 1 else {"anyOf": data}),
        partial(_handle, report, dashboards),
        query,
        report.organization_names,
        is_enveloped=True,
    )


def _handle(report: Report, dashboards: Mapping[str, Dashboard], call: Call) -> Reply:
    view, pairs = _chosen(report, call.pairs)
    dashboard = dashboards[view.dashboard]
    values = {**view.defaults, **given.read(dashboard, report.parameters, report.organization_names, pairs)}
    found = answered(call, Asked(view.dashboard, call.organization_id, parameters=values))
    return found.reply(enveloped(view.shape(found), None, meta=found.about()))


def _chosen(report: Report, pairs: Pairs) -> tuple[View, Pairs]:
    """Return the view that a query string chooses, and the other parameters."""
    if len(report.views) == 1:
        return report.default, pairs
    names = {value for name, value in pairs if name == VIEW and value}
    pairs = [(name, value) for name, value in pairs if name != VIEW]
    if not names:
        return report.default, pairs
    if len(names) > 1 or not names <= report.views.keys():
        raise WrongParametersError({VIEW: f"Parameter {VIEW} must be one of {', '.join(report.views)}."})
    return report.views[names.pop()], pairs


def _parameter(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": dict(schema)}
