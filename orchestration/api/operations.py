"""The operations of the service. Those of dashboards are made from their declarations, so nothing is written twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from orchestration.api import parameters, schemas
from orchestration.api.answers import Answered, Reply, dashboard_reply, document
from orchestration.api.parameters import Pairs, asked
from orchestration.api.pattern_filters import pattern_filters
from orchestration.api.service import Service
from orchestration.api.tokens import Caller
from orchestration.cache.counters import HIT
from orchestration.dashboards.definitions import Dashboard
from orchestration.dashboards.panels import Columns, Panel
from orchestration.dashboards.question import Asked, Question

ORGANIZATION = "/v1/organizations/{organization_id}"


@dataclass(frozen=True)
class Call:
    """One request to an operation, after its token was verified: who asks, the organization, and the parameters.

    `path` are the values of the path's parameters.
    """

    service: Service
    caller: Caller
    organization_id: str
    pairs: Pairs
    path: Mapping[str, str]


@dataclass(frozen=True)
class Operation:
    """One path that callers with a token may GET: how it is answered, and how OpenAPI describes it.

    `organization_names` are parameters that may name the organization, for a path that does not. Where `is_enveloped`,
    errors have the form that Orgo's client expects.
    """

    name: str
    path: str
    summary: str
    schema: dict[str, Any]
    handle: Callable[[Call], Reply]
    query: list[dict[str, Any]] = field(default_factory=list)
    organization_names: tuple[str, ...] = ()
    is_enveloped: bool = False

    @property
    def is_of_an_organization(self) -> bool:
        """Whether the path names an organization."""
        return self.path.startswith(ORGANIZATION)

    def named(self, path: Mapping[str, str], pairs: Pairs) -> set[str]:
        """Return the organizations that the path and the parameters of a request name."""
        found = {path["organization_id"]} if self.is_of_an_organization else set()
        return found | {value for name, value in pairs if name in self.organization_names and value}


def operations(service: Service) -> list[Operation]:
    """Return every operation that needs a token."""
    return [
        Operation(
            "list_dashboards",
            f"{ORGANIZATION}/dashboards",
            "The dashboards, with their parameters, and the visibilities that the roles may see.",
            schemas.DASHBOARDS,
            _list,
        ),
        *(_of_dashboard(dashboard) for dashboard in service.reader.dashboards.values()),
        Operation(
            "caller",
            "/v1/caller",
            "Who asks: the organization of the token, those that may be asked about, and what the roles may see.",
            schemas.CALLER,
            _caller,
        ),
        Operation(
            "freshness",
            "/v1/freshness",
            "How old each mart is: data up to (exclusive), when it was loaded, and whether it is late.",
            schemas.FRESHNESS,
            _freshness,
        ),
    ]


def _of_dashboard(dashboard: Dashboard) -> Operation:
    return Operation(
        f"dashboard_{dashboard.name}",
        f"{ORGANIZATION}/dashboards/{dashboard.name}",
        dashboard.description,
        schemas.of_dashboard(dashboard),
        partial(_ask, dashboard),
        parameters.described(dashboard.meta.parameters, dashboard.has_anonymised_form),
    )


def _ask(dashboard: Dashboard, call: Call) -> Reply:
    return dashboard_reply(answered(call, asked(dashboard, call.organization_id, call.pairs)))


def answered(call: Call, question: Asked) -> Answered:
    """Return a question with its answer; without visibilities, it is about all that the roles may see.

    Raises AccessRefusedError, which names what the roles may see, and like `Reader.ask`.
    """
    begun = time.monotonic()
    reader, allowed = call.service.reader, _allowed(call, question)
    answer, request = reader.answer(allowed), reader.request(allowed)
    count = partial(reader.answers.counters.note, request.key.group, request.question, HIT, request.max_keys)
    return Answered(allowed, answer, request.lifetime.fresh, time.monotonic() - begun, count)


def _allowed(call: Call, question: Asked) -> Question:
    if not question.is_anonymised:
        question = replace(question, visibilities=call.service.visibilities(call.caller, question.visibilities))
    return call.service.reader.allowed(question, call.caller.roles)


def _list(call: Call) -> Reply:
    parameters.refuse_all(call.pairs)
    may_see = call.service.reader.visible_to(call.caller.roles)
    filters = {name: p.model_dump() for name, p in pattern_filters().items()}
    return document({"dashboards": list(_listed(call)), "visibilities": may_see, "pattern_parameters": filters})


def _listed(call: Call) -> Iterator[dict[str, Any]]:
    for dashboard in call.service.reader.dashboards.values():
        yield {
            "name": dashboard.name,
            "title": dashboard.title,
            "description": dashboard.description,
            "path": f"{ORGANIZATION}/dashboards/{dashboard.name}".format(organization_id=call.organization_id),
            "has_anonymised_form": dashboard.has_anonymised_form,
            "parameters": {name: p.model_dump() for name, p in dashboard.meta.parameters.items()},
            "panels": {name: _panel(panel) for name, panel in dashboard.meta.panels.items()},
        }


def _panel(panel: Panel) -> dict[str, Any]:
    drill, anonymised = panel.drill, panel.anonymised
    return {
        "description": panel.description,
        **_form(panel),
        "drill": drill and drill.model_dump(),
        "anonymised": anonymised and _form(anonymised),
    }


def _form(columns: Columns) -> dict[str, Any]:
    kinds = dict.fromkeys(columns.dimensions, "dimension") | dict.fromkeys(columns.measures, "measure")
    return {
        "columns": [
            {"name": name, "title": columns.title(name), "kind": kind, "unit": columns.unit(name)}
            for name, kind in kinds.items()
        ],
        "chart": columns.chart and columns.chart.model_dump(),
    }


def _freshness(call: Call) -> Reply:
    parameters.refuse_all(call.pairs)
    return document({"marts": [asdict(age) for age in call.service.reader.mart_ages(call.service.dags)]})


def _caller(call: Call) -> Reply:
    parameters.refuse_all(call.pairs)
    reader, caller = call.service.reader, call.caller
    own = caller.organization_id
    names = reader.organization_names(None if call.service.is_superuser(caller) else own)
    names = names if own in names else {own: None, **names}
    return document(
        {
            "organization": {"id": own, "name": names[own]},
            "organizations": [{"id": id_, "name": name} for id_, name in names.items()],
            "visibilities": reader.visible_to(caller.roles),
            "sees_anonymised": reader.sees_anonymised(caller.roles),
        }
    )
