"""What is asked, in its one normal form, and the one function that makes the key of it.

The reader, the warmer and whoever reads back what was warmed use this function; nothing else knows how a key is made.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, cast

from orchestration.cache.entries import canonical
from orchestration.cache.keys import Group, Key
from orchestration.config.tokens import Environment, Visibility
from orchestration.dashboards.access import AS_THEY_ARE
from orchestration.dashboards.definitions import Dashboard, IntegerParameter, MonthParameter, Parameter
from orchestration.errors import BadInputError

ALL_VISIBILITIES: tuple[Visibility, ...] = (*AS_THEY_ARE, "ANONYMISED")
DIGITS_OF_DIGEST = 32
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")

Form = Literal["plain", "anonymised"]
Value = int | str | list[str] | None


@dataclass(frozen=True)
class Asked:
    """A question as somebody asks it: the organization by slug or id, parameters as they come, defaults left out.

    `visibilities` is the set of rows to count, None for PUBLIC, INTERNAL and RESTRICTED.
    """

    dashboard: str
    organization: str
    visibilities: Collection[str] | None = None
    is_anonymised: bool = False
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """One question of one dashboard, normalised: two that mean the same are equal.

    `min_group_size` is that of the anonymised form, None in the plain one. `definition` is the digest of the statement
    that answers it: an answer of another release of a dashboard is not this question's.
    """

    environment: Environment
    dashboard: str
    organization_id: str
    form: Form
    visibilities: tuple[Visibility, ...]
    parameters: tuple[tuple[str, Any], ...]
    min_group_size: int | None
    definition: str

    @cached_property
    def text(self) -> str:
        """The whole question in one line of JSON, worked out once; equal questions have equal texts."""
        whole = {
            "environment": self.environment,
            "dashboard": self.dashboard,
            "organization_id": self.organization_id,
            "form": self.form,
            "visibilities": list(self.visibilities),
            "parameters": {name: _jsonable(value) for name, value in self.parameters},
            "min_group_size": self.min_group_size,
            "definition": self.definition,
        }
        return canonical(whole)


def cache_key(question: Question) -> Key:
    """Where the answer lies in the cache: readable in its beginning, and a digest of the whole question at the end."""
    digest = hashlib.sha256(question.text.encode()).hexdigest()[:DIGITS_OF_DIGEST]
    sees = "+".join(question.visibilities)
    name = f"{question.organization_id}:{question.form}:{sees}:{digest}"
    return Key(Group(question.environment, question.dashboard), name)


def normal_visibilities(asked: Iterable[str] | None) -> tuple[Visibility, ...]:
    """The set of a plain question in its one order; None is everything that can be shown as it is.

    Raises BadInputError for an empty set, an unknown token, or ANONYMISED.
    """
    if asked is None:
        return AS_THEY_ARE
    asked = tuple(asked)  # looked at once: what a caller gives may be used up, or change
    for visibility in asked:
        if visibility == "ANONYMISED":
            raise BadInputError(
                "ANONYMISED rows are never shown as they are. Dashboards over patterns count them in their anonymised"
                " form: --anonymised, without --visibility."
            )
        if visibility not in AS_THEY_ARE:
            raise BadInputError(f"{visibility!r} is no visibility; ask for some of {', '.join(AS_THEY_ARE)}.")
    if not asked:
        raise BadInputError(f"Ask for at least one visibility of {', '.join(AS_THEY_ARE)}.")
    return tuple(v for v in AS_THEY_ARE if v in asked)


def normal_parameters(dashboard: Dashboard, given: Mapping[str, object]) -> tuple[tuple[str, Any], ...]:
    """A value for every parameter of the dashboard, by name in sorted order: the given one or the default.

    Numbers may be given as texts, tokens as a list or separated by commas. Raises BadInputError for an unknown
    parameter, a value of another type, or one outside its bounds.
    """
    declared = dashboard.meta.parameters
    for name in given:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise BadInputError(f"Dashboard {dashboard.name} has no parameter {name!r}. It has: {known}.")
    return tuple((name, _normal(name, declared[name], given.get(name))) for name in sorted(declared))


def _normal(name: str, parameter: Parameter, value: object) -> Any:
    if isinstance(parameter, IntegerParameter):
        return parameter.default if value is None else _integer(name, parameter, value)
    if isinstance(parameter, MonthParameter):
        return parameter.default if value is None else _month(name, parameter, value)
    return tuple(parameter.values) if value is None else _tokens(name, parameter.values, value)


def _integer(name: str, parameter: IntegerParameter, value: object) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if type(value) is not int or not parameter.min <= value <= parameter.max:
        raise BadInputError(
            f"Parameter {name} is {value!r}; it must be a whole number from {parameter.min} to {parameter.max}."
        )
    return value


def _month(name: str, parameter: MonthParameter, value: object) -> str:
    is_month = isinstance(value, str) and _MONTH.fullmatch(value)
    if not is_month or not parameter.min <= cast(str, value) <= parameter.max:
        raise BadInputError(
            f"Parameter {name} is {value!r}; it must be a month such as 2025-11, {parameter.min} to {parameter.max}."
        )
    return cast(str, value)


def _tokens(name: str, values: Sequence[str], value: object) -> tuple[str, ...]:
    asked = value.split(",") if isinstance(value, str) else value
    if not isinstance(asked, list | tuple | set | frozenset) or not asked or not all(a in values for a in asked):
        raise BadInputError(f"Parameter {name} is {value!r}; it must be some of {', '.join(values)}, by commas.")
    return tuple(v for v in values if v in asked)


def _jsonable(value: Any) -> Value:
    return list(value) if isinstance(value, tuple) else value
