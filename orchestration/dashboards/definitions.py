"""The dashboards, as `models/exposures/_dashboards.yml` declares them, checked and typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from orchestration.config.tokens import Section, Text
from orchestration.errors import MisconfiguredError, NotFoundError
from orchestration.manifest import Exposure, exposures, relations

FILE = "models/exposures/_dashboards.yml"
ORGANIZATIONS, LOAD_LOG = "dim_organizations", "load_log"
WORDS = ("horizon", "min_group_size")  # what a fragment may name beside the parameters
_NAMED = re.compile(r"{(\w*)}")

SqlText = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
TtlClass = Literal["dashboard_default", "dashboard_slow", "streaming_like"]


class IntegerParameter(Section):
    """A whole number between two bounds."""

    type: Literal["integer"]
    description: Text
    default: int
    min: int
    max: int


class MonthParameter(Section):
    """A month such as 2025-11 between two bounds; without one, nothing is bound, which the SQL must expect."""

    type: Literal["month"]
    description: Text
    default: Month | None = None
    min: Month
    max: Month


class TokensParameter(Section):
    """Some of a list of tokens; by default, all."""

    type: Literal["tokens"]
    description: Text
    values: Annotated[list[Text], Field(min_length=1)]


Parameter = Annotated[IntegerParameter | MonthParameter | TokensParameter, Field(discriminator="type")]


class AnonymisedPanel(Section):
    """The panel for anonymised roles: all four visibilities, and no group under `exports.min_group_size`."""

    dimensions: dict[Name, SqlText] = Field(default_factory=dict)
    measures: Annotated[dict[Name, SqlText], Field(min_length=1)]
    group_size: SqlText
    order: SqlText


class Panel(Section):
    """One table of a dashboard: measures of a model's rows, grouped by dimensions, the first `limit` of an order."""

    description: Text
    model: Name
    where: SqlText = "true"
    dimensions: dict[Name, SqlText] = Field(default_factory=dict)
    measures: Annotated[dict[Name, SqlText], Field(min_length=1)]
    order: SqlText
    limit: Annotated[int, Field(gt=0, le=10000)]
    anonymised: AnonymisedPanel | None = None


class Meta(Section):
    """`config.meta.dashboard` of an exposure."""

    ttl: TtlClass
    parameters: dict[Name, Parameter] = Field(default_factory=dict)
    panels: Annotated[dict[Name, Panel], Field(min_length=1)]


class Dashboard(Section):
    """One dashboard: its declaration, and for each model it may read the schema and name of the relation."""

    name: Name
    description: Text
    meta: Meta
    relations: dict[str, tuple[str, str]]

    @property
    def has_anonymised_form(self) -> bool:
        """Whether every panel can be shown anonymised."""
        return all(panel.anonymised for panel in self.meta.panels.values())


def dashboards(manifest: dict[str, Any]) -> dict[str, Dashboard]:
    """The dashboards of dbt's manifest, by name.

    Raises MisconfiguredError, with file, dashboard and key, when one contradicts itself or names what is not there.
    """
    places = {name: (found.schema, found.identifier) for name, found in relations(manifest).items()}
    return {name: _dashboard(found, places) for name, found in exposures(manifest, "dashboard").items()}


def find(found: Mapping[str, Dashboard], name: str) -> Dashboard:
    """The dashboard of a name; raises NotFoundError, naming those that there are."""
    if name not in found:
        raise NotFoundError(f"There is no dashboard {name!r}. There are: {', '.join(sorted(found))}.")
    return found[name]


def _dashboard(exposure: Exposure, places: dict[str, tuple[str, str]]) -> Dashboard:
    try:
        meta = Meta.model_validate(exposure.meta)
        readable = {name: places[name] for name in exposure.depends_on if name in places}
        dashboard = Dashboard(name=exposure.name, description=exposure.description, meta=meta, relations=readable)
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(exposure.name, ".".join(map(str, first["loc"])), first["msg"]) from error
    if ORGANIZATIONS not in readable:
        raise _wrong(exposure.name, "depends_on", f"must name {ORGANIZATIONS}: each question is of one organization")
    for key, parameter in meta.parameters.items():
        _check_parameter(exposure.name, key, parameter)
    for key, panel in meta.panels.items():
        _check_panel(dashboard, key, panel)
    return dashboard


def _check_parameter(dashboard: str, name: str, parameter: Parameter) -> None:
    key = f"parameters.{name}"
    if name in (*WORDS, "organization", "visibilities", "relations"):
        raise _wrong(dashboard, key, "this name is taken; choose another")
    if isinstance(parameter, TokensParameter):
        if len(set(parameter.values)) < len(parameter.values) or any("," in value for value in parameter.values):
            raise _wrong(dashboard, f"{key}.values", "must differ from each other and hold no comma")
        return
    if parameter.min > parameter.max:  # type: ignore[operator]
        raise _wrong(dashboard, f"{key}.min", f"is above max ({parameter.max})")
    if parameter.default is not None and not parameter.min <= parameter.default <= parameter.max:  # type: ignore[operator]
        raise _wrong(dashboard, f"{key}.default", f"must be between {parameter.min} and {parameter.max}")


def _check_panel(dashboard: Dashboard, name: str, panel: Panel) -> None:
    key = f"panels.{name}"
    if panel.model not in dashboard.relations:
        known = ", ".join(sorted(dashboard.relations))
        raise _wrong(dashboard.name, f"{key}.model", f"{panel.model} is not in depends_on ({known})")
    known_words = {"horizon", *dashboard.meta.parameters}
    fragments = [panel.where, panel.order, *panel.dimensions.values(), *panel.measures.values()]
    _check_words(dashboard.name, key, fragments, known_words)
    if panel.anonymised:
        own = panel.anonymised
        fragments = [own.group_size, own.order, *own.dimensions.values(), *own.measures.values()]
        _check_words(dashboard.name, f"{key}.anonymised", fragments, {*known_words, "min_group_size"})


def _check_words(dashboard: str, key: str, fragments: list[str], known: set[str]) -> None:
    for fragment in fragments:
        named = _NAMED.findall(fragment)
        if len(named) != fragment.count("{") or len(named) != fragment.count("}"):
            raise _wrong(dashboard, key, f"braces that hold no name: {fragment}")
        if unknown := sorted(set(named) - known):
            raise _wrong(dashboard, key, f"{{{unknown[0]}}} is unknown. Known here: {', '.join(sorted(known))}")


def _wrong(dashboard: str, key: str, says: str) -> MisconfiguredError:
    return MisconfiguredError(f"{FILE}: dashboard {dashboard}: config.meta.dashboard.{key}: {says}.")
