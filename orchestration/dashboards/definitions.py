"""Reads and checks the dashboards that exposures declare in `config.meta.dashboard` (docs/dashboards.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from orchestration.config.tokens import Section, Text
from orchestration.dashboards.parameter_types import Parameter
from orchestration.errors import NotFoundError
from orchestration.manifest import Exposure, exposures, relations
from orchestration.meta import Declaration

ORGANIZATIONS, LOAD_LOG = "dim_organizations", "load_log"
WORDS = ("horizon", "min_group_size")  # placeholders that a fragment may use in addition to the parameters
RESERVED = ("organization", "visibilities", "relations", "visibility", "anonymised")  # values and options of a question
_NAMED = re.compile(r"{(\w*)}")

SqlText = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
TtlClass = Literal["dashboard_default", "dashboard_slow", "streaming_like"]


class AnonymisedPanel(Section):
    """The anonymised form of a panel: all four visibilities, without groups smaller than `exports.min_group_size`."""

    dimensions: dict[Name, SqlText] = Field(default_factory=dict)
    measures: Annotated[dict[Name, SqlText], Field(min_length=1)]
    group_size: SqlText
    order: SqlText


class Panel(Section):
    """One table of a dashboard: measures of a model, grouped by dimensions, ordered, at most `limit` rows."""

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


META = TypeAdapter(Meta)


class Dashboard(Section):
    """One dashboard: its declaration, and schema and name of the relation of each model that it may read."""

    name: str
    description: Text
    meta: Meta
    relations: dict[str, tuple[str, str]]

    @property
    def has_anonymised_form(self) -> bool:
        """Whether every panel has an anonymised form."""
        return all(panel.anonymised for panel in self.meta.panels.values())


def dashboards(manifest: dict[str, Any]) -> dict[str, Dashboard]:
    """Return the dashboards of dbt's manifest by name.

    Raises MisconfiguredError, with file, dashboard and key, for a declaration that is invalid or names a missing model.
    """
    places = {name: (found.schema, found.identifier) for name, found in relations(manifest).items()}
    return {name: _dashboard(found, places) for name, found in exposures(manifest, "dashboard").items()}


def find(found: Mapping[str, Dashboard], name: str) -> Dashboard:
    """Return the dashboard with a name; raises NotFoundError, which lists the existing ones."""
    if name not in found:
        raise NotFoundError(f"There is no dashboard {name!r}. There are: {', '.join(sorted(found))}.")
    return found[name]


def _dashboard(exposure: Exposure, places: dict[str, tuple[str, str]]) -> Dashboard:
    where = Declaration(exposure.file, f"dashboard {exposure.name}", "dashboard")
    meta = where.read(exposure.meta, META)
    readable = {name: places[name] for name in exposure.depends_on if name in places}
    if ORGANIZATIONS not in readable:
        raise where.wrong("depends_on", f"must name {ORGANIZATIONS}, because each question is about one organization")
    for key, parameter in meta.parameters.items():
        _check_parameter(where, key, parameter)
    for key, panel in meta.panels.items():
        if panel.model not in readable:
            known = ", ".join(sorted(readable))
            raise where.wrong(f"panels.{key}.model", f"{panel.model} is not in depends_on ({known})")
        _check_panel(where, f"panels.{key}", panel, {"horizon", *meta.parameters})
    return Dashboard(name=exposure.name, description=exposure.description, meta=meta, relations=readable)


def _check_parameter(where: Declaration, name: str, parameter: Parameter) -> None:
    key = f"parameters.{name}"
    if name in (*WORDS, *RESERVED):
        raise where.wrong(key, "this name is reserved; choose another")
    if mistake := parameter.mistake():
        raise where.wrong(f"{key}.{mistake[0]}", mistake[1])


def _check_panel(where: Declaration, key: str, panel: Panel, words: set[str]) -> None:
    fragments = [panel.where, panel.order, *panel.dimensions.values(), *panel.measures.values()]
    _check_words(where, key, fragments, words)
    if panel.anonymised:
        own = panel.anonymised
        fragments = [own.group_size, own.order, *own.dimensions.values(), *own.measures.values()]
        _check_words(where, f"{key}.anonymised", fragments, {*words, "min_group_size"})


def _check_words(where: Declaration, key: str, fragments: list[str], known: set[str]) -> None:
    for fragment in fragments:
        named = _NAMED.findall(fragment)
        if len(named) != fragment.count("{") or len(named) != fragment.count("}"):
            raise where.wrong(key, f"braces must enclose a name: {fragment}")
        if unknown := sorted(set(named) - known):
            raise where.wrong(key, f"{{{unknown[0]}}} is unknown. Known here: {', '.join(sorted(known))}")
