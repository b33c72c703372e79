"""The parameters of a question in the address: read all at once, and described for OpenAPI from one declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.dashboards.access import AS_THEY_ARE
from orchestration.dashboards.definitions import Dashboard
from orchestration.dashboards.parameter_types import tokens_schema
from orchestration.dashboards.question import Asked, WrongParametersError, normal_parameters

VISIBILITY, ANONYMISED = "visibility", "anonymised"
ABOUT_VISIBILITY = "Only rows of these visibilities; by default all that the roles may see in this form."
ABOUT_ANONYMISED = "The anonymised form: rows of every visibility, no small groups; not with `visibility`."
SWITCH = {"true": True, "false": False}

Pairs = Sequence[tuple[str, str]]


def asked(dashboard: Dashboard, organization: str, pairs: Pairs) -> Asked:
    """Return the question of a query string, without visibilities if it names none.

    Raises WrongParametersError with everything that is wrong.
    """
    given, wrong = _gathered(dashboard, pairs)
    visibilities, anonymised = given.pop(VISIBILITY, None), given.pop(ANONYMISED, "false")
    chosen = None if visibilities is None else str(visibilities).split(",")
    if chosen is not None and not set(chosen) <= set(AS_THEY_ARE):
        wrong[VISIBILITY] = f"Parameter visibility must be any of {', '.join(AS_THEY_ARE)}, comma-separated."
    if dashboard.has_anonymised_form and anonymised not in SWITCH:
        wrong[ANONYMISED] = "Parameter anonymised must be true or false."
    is_anonymised = SWITCH.get(anonymised, False)
    if is_anonymised and chosen is not None:
        wrong[VISIBILITY] = "The anonymised form counts every visibility; leave out visibility."
    try:
        normal_parameters(dashboard, given)
    except WrongParametersError as error:
        wrong = {**error.wrong, **wrong}
    if wrong:
        raise WrongParametersError(wrong)
    return Asked(dashboard.name, organization, chosen, is_anonymised, given)


def refuse_all(pairs: Pairs) -> None:
    """Raise WrongParametersError for every parameter, where an operation has none."""
    if pairs:
        raise WrongParametersError({name: f"There is no parameter {name!r} here." for name, _ in pairs})


def described(dashboard: Dashboard) -> list[dict[str, Any]]:
    """Return the OpenAPI parameters of a dashboard."""
    found = [_described(name, p.description, p.json_schema()) for name, p in dashboard.meta.parameters.items()]
    found.append(_described(VISIBILITY, ABOUT_VISIBILITY, tokens_schema(AS_THEY_ARE)))
    if dashboard.has_anonymised_form:
        found.append(_described(ANONYMISED, ABOUT_ANONYMISED, {"type": "boolean", "default": False}))
    return found


def _gathered(dashboard: Dashboard, pairs: Pairs) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values by name, and what is wrong with repeated names: only lists may be given in several parts."""
    lists = {name for name, p in dashboard.meta.parameters.items() if p.is_list} | {VISIBILITY}
    given: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for name, value in pairs:
        if name == ANONYMISED and not dashboard.has_anonymised_form:
            wrong[name] = f"Dashboard {dashboard.name} has no anonymised form."
        elif name not in given:
            given[name] = value
        elif name in lists:
            given[name] = f"{given[name]},{value}"
        else:
            wrong[name] = f"Parameter {name} is given more than once."
    return given, wrong


def _described(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    whole = {"name": name, "in": "query", "required": False, "description": description, "schema": dict(schema)}
    return whole | ({"style": "form", "explode": False} if schema["type"] == "array" else {})
