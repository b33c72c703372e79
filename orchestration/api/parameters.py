"""The parameters of a question in the address: read all at once, and described for OpenAPI from one declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.dashboards.access import AS_THEY_ARE
from orchestration.dashboards.definitions import Dashboard
from orchestration.dashboards.parameter_types import Parameter, tokens_schema
from orchestration.dashboards.question import Asked, WrongParametersError, normal_values

VISIBILITY, ANONYMISED = "visibility", "anonymised"
ABOUT_VISIBILITY = "Only rows of these visibilities; by default all that the roles may see in this form."
ABOUT_ANONYMISED = "The anonymised form: rows of every visibility, no small groups; not with `visibility`."
SWITCH = {"true": True, "false": False}

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Given:
    """The values of a query string in normal form by name; `visibilities` are None if it names none."""

    values: dict[str, Any]
    visibilities: list[str] | None
    is_anonymised: bool


def asked(dashboard: Dashboard, organization: str, pairs: Pairs) -> Asked:
    """Return the question of a query string; raises like `read`."""
    subject, declared = f"Dashboard {dashboard.name}", dashboard.meta.parameters
    given = read(subject, declared, pairs, dashboard.has_anonymised_form)
    return Asked(dashboard.name, organization, given.visibilities, given.is_anonymised, given.values)


def read(subject: str, declared: Mapping[str, Parameter], pairs: Pairs, has_anonymised_form: bool = False) -> Given:
    """Return the values of a query string; `subject` has the declared parameters, and is named in messages.

    Raises WrongParametersError with everything that is wrong.
    """
    given, wrong = _gathered(declared, pairs)
    if ANONYMISED in given and not has_anonymised_form:
        wrong[ANONYMISED] = f"{subject} has no anonymised form."
    visibilities, anonymised = given.pop(VISIBILITY, None), given.pop(ANONYMISED, "false")
    chosen = None if visibilities is None else visibilities.split(",")
    if chosen is not None and not set(chosen) <= set(AS_THEY_ARE):
        wrong[VISIBILITY] = f"Parameter visibility must be any of {', '.join(AS_THEY_ARE)}, comma-separated."
    if anonymised not in SWITCH:
        wrong.setdefault(ANONYMISED, "Parameter anonymised must be true or false.")
    is_anonymised = SWITCH.get(anonymised, False)
    if is_anonymised and chosen is not None:
        wrong[VISIBILITY] = "The anonymised form counts every visibility; leave out visibility."
    return Given(_normal(subject, declared, given, wrong), chosen, is_anonymised)


def read_values(subject: str, declared: Mapping[str, Parameter], pairs: Pairs) -> dict[str, Any]:
    """Return the values of a query string where no visibility is asked for; raises like `read`."""
    return _normal(subject, declared, *_gathered(declared, pairs))


def refuse_all(pairs: Pairs) -> None:
    """Raise WrongParametersError for every parameter, where an operation has none."""
    if pairs:
        raise WrongParametersError({name: f"There is no parameter {name!r} here." for name, _ in pairs})


def described(declared: Mapping[str, Parameter], has_anonymised_form: bool = False) -> list[dict[str, Any]]:
    """Return the OpenAPI parameters of a question with these parameters."""
    found = described_values(declared)
    found.append(_described(VISIBILITY, ABOUT_VISIBILITY, tokens_schema(AS_THEY_ARE)))
    if has_anonymised_form:
        found.append(_described(ANONYMISED, ABOUT_ANONYMISED, {"type": "boolean", "default": False}))
    return found


def described_values(declared: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    """Return the OpenAPI parameters where no visibility is asked for."""
    return [_described(name, p.description, p.json_schema()) for name, p in declared.items()]


def _normal(
    subject: str, declared: Mapping[str, Parameter], given: Mapping[str, str], wrong: Mapping[str, str]
) -> dict[str, Any]:
    """Return normal values; raises WrongParametersError with what is `wrong` already, too."""
    try:
        values = normal_values(subject, declared, given)
    except WrongParametersError as error:
        raise WrongParametersError({**error.wrong, **wrong}) from error
    if wrong:
        raise WrongParametersError(wrong)
    return dict(values)


def _gathered(declared: Mapping[str, Parameter], pairs: Pairs) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values by name, and what is wrong with repeated names: only lists may be given in several parts."""
    lists = {name for name, p in declared.items() if p.is_list} | {VISIBILITY}
    given: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for name, value in pairs:
        if name not in given:
            given[name] = value
        elif name in lists:
            given[name] = f"{given[name]},{value}"
        else:
            wrong[name] = f"Parameter {name} is given more than once."
    return given, wrong


def _described(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    whole = {"name": name, "in": "query", "required": False, "description": description, "schema": dict(schema)}
    return whole | ({"style": "form", "explode": False} if schema["type"] == "array" else {})
