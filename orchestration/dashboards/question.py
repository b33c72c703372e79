"""A question in normal form, and the only function that makes its cache key, for reader and warm-up alike."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from orchestration.cache.entries import canonical
from orchestration.cache.keys import Group, Key
from orchestration.config.problems import nearest
from orchestration.config.tokens import Environment, Visibility
from orchestration.dashboards.access import AS_THEY_ARE
from orchestration.dashboards.definitions import Dashboard
from orchestration.dashboards.parameter_types import Parameter
from orchestration.errors import BadInputError

ALL_VISIBILITIES: tuple[Visibility, ...] = (*AS_THEY_ARE, "ANONYMISED")
DIGITS_OF_DIGEST = 32

Form = Literal["plain", "anonymised"]
Value = int | str | list[str] | None


class WrongParametersError(BadInputError):
    """One or more parameters are wrong; `wrong` has a sentence about each, by its name."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        """Make the message of all sentences."""
        self.wrong = dict(wrong)
        super().__init__(" ".join(self.wrong.values()))


@dataclass(frozen=True)
class Asked:
    """A question as a client sends it: the organization by slug or id, parameters unchecked and without defaults.

    `visibilities` are those of the rows to count; None means PUBLIC, INTERNAL and RESTRICTED.
    """

    dashboard: str
    organization: str
    visibilities: Collection[str] | None = None
    is_anonymised: bool = False
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """A question to one dashboard in normal form: two questions with the same meaning are equal.

    `min_group_size` is None in the plain form. `definition` is the digest of the statement that answers it, so that
    another release of a dashboard does not share its answers.
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
        """The question in one line of JSON; equal questions have equal texts."""
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
    """Return the cache key of a question: a readable beginning and a digest of the whole question."""
    digest = hashlib.sha256(question.text.encode()).hexdigest()[:DIGITS_OF_DIGEST]
    sees = "+".join(question.visibilities)
    name = f"{question.organization_id}:{question.form}:{sees}:{digest}"
    return Key(Group(question.environment, question.dashboard), name)


def normal_visibilities(given: Iterable[str] | None) -> tuple[Visibility, ...]:
    """Return the visibilities of a plain question without duplicates and in fixed order; None means all of them.

    Raises BadInputError for an empty set, an unknown token, or ANONYMISED.
    """
    if given is None:
        return AS_THEY_ARE
    given = tuple(given)  # an iterator can be read only once
    for visibility in given:
        if visibility == "ANONYMISED":
            raise BadInputError(
                "ANONYMISED rows count in the anonymised form only. Use --anonymised without --visibility, on a"
                " dashboard that has this form."
            )
        if visibility not in AS_THEY_ARE:
            suggested = nearest(visibility, AS_THEY_ARE)
            raise BadInputError(
                f"{visibility!r} is not a visibility; it must be one of {', '.join(AS_THEY_ARE)}.{suggested}"
            )
    if not given:
        raise BadInputError(f"At least one visibility is required: {', '.join(AS_THEY_ARE)}.")
    return tuple(v for v in AS_THEY_ARE if v in given)


def normal_parameters(dashboard: Dashboard, given: Mapping[str, object]) -> tuple[tuple[str, Any], ...]:
    """Return (name, value) of every parameter of the dashboard, sorted by name: the given value or the default.

    Numbers may be given as strings, tokens as a list or separated by commas. Raises WrongParametersError with every
    unknown parameter, and every value of another type or outside its bounds.
    """
    return normal_values(f"Dashboard {dashboard.name}", dashboard.meta.parameters, given)


def normal_values(
    subject: str, declared: Mapping[str, Parameter], given: Mapping[str, object]
) -> tuple[tuple[str, Any], ...]:
    """Return (name, value) of every declared parameter, like `normal_parameters`; `subject` is named in messages."""
    known = ", ".join(sorted(declared)) or "none"
    wrong = {name: f"{subject} has no parameter {name!r}. It has: {known}." for name in given if name not in declared}
    values = []
    for name in sorted(declared):
        try:
            value = given.get(name)
            normal = declared[name].default_value() if value is None else declared[name].normal(name, value)
            values.append((name, normal))
        except BadInputError as error:
            wrong[name] = str(error)
    if wrong:
        raise WrongParametersError(wrong)
    return tuple(values)


def _jsonable(value: Any) -> Value:
    return list(value) if isinstance(value, tuple) else value
