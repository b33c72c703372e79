"""Reads and checks the dashboards that exposures declare in `config.meta.dashboard` (docs/dashboards.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from orchestration.config.tokens import Section, Text
from orchestration.dashboards.panels import Columns, Name, Panel
from orchestration.dashboards.parameter_types import Parameter
from orchestration.errors import NotFoundError
from orchestration.manifest import Exposure, exposures, relations
from orchestration.meta import Declaration

ORGANIZATIONS, LOAD_LOG = "dim_organizations", "load_log"
PATTERNS = "patterns"  # where a row may lead in addition to dashboards
PATTERN_FILTERS = frozenset(("cadence", "kind", "severity", "domain"))
WORDS = ("horizon", "min_group_size")  # placeholders that a fragment may use in addition to the parameters
RESERVED = ("organization", "visibilities", "relations", "visibility", "anonymised")  # values and options of a question
_NAMED = re.compile(r"{(\w*)}")

TtlClass = Literal["dashboard_default", "dashboard_slow", "streaming_like"]


class Meta(Section):
    """`config.meta.dashboard` of an exposure."""

    ttl: TtlClass
    parameters: dict[Name, Parameter] = Field(default_factory=dict)
    panels: Annotated[dict[Name, Panel], Field(min_length=1)]


META = TypeAdapter(Meta)


class Dashboard(Section):
    """One dashboard: its declaration, and schema and name of the relation of each model that it may read."""

    name: str
    title: str
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
    declared = exposures(manifest, "dashboard")
    found = {name: _dashboard(exposure, places) for name, exposure in declared.items()}
    for name, dashboard in found.items():
        _check_drills(_declaration(declared[name]), dashboard, found)
    return found


def find(found: Mapping[str, Dashboard], name: str) -> Dashboard:
    """Return the dashboard with a name; raises NotFoundError, which lists the existing ones."""
    if name not in found:
        raise NotFoundError(f"There is no dashboard {name!r}. There are: {', '.join(sorted(found))}.")
    return found[name]


def _dashboard(exposure: Exposure, places: dict[str, tuple[str, str]]) -> Dashboard:
    where = _declaration(exposure)
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
    title, says = exposure.label or exposure.name, exposure.description
    return Dashboard(name=exposure.name, title=title, description=says, meta=meta, relations=readable)


def _declaration(exposure: Exposure) -> Declaration:
    return Declaration(exposure.file, f"dashboard {exposure.name}", "dashboard")


def _check_parameter(where: Declaration, name: str, parameter: Parameter) -> None:
    key = f"parameters.{name}"
    if name in (*WORDS, *RESERVED):
        raise where.wrong(key, "this name is reserved; choose another")
    if mistake := parameter.mistake():
        raise where.wrong(f"{key}.{mistake[0]}", mistake[1])


def _check_panel(where: Declaration, key: str, panel: Panel, words: set[str]) -> None:
    _check_columns(where, key, panel, [panel.where], words)
    if own := panel.anonymised:
        _check_columns(where, f"{key}.anonymised", own, [own.group_size], {*words, "min_group_size"})


def _check_columns(where: Declaration, key: str, columns: Columns, others: list[str], words: set[str]) -> None:
    _check_words(where, key, [*others, columns.order, *columns.dimensions.values(), *columns.measures.values()], words)
    for path, says in columns.mistakes():
        raise where.wrong(f"{key}.{path}", says)


def _check_drills(where: Declaration, dashboard: Dashboard, found: Mapping[str, Dashboard]) -> None:
    for key, panel in dashboard.meta.panels.items():
        if drill := panel.drill:
            path = f"panels.{key}.drill"
            known = {name: set(other.meta.parameters) for name, other in found.items()} | {PATTERNS: PATTERN_FILTERS}
            if drill.to not in known:
                raise where.wrong(f"{path}.to", f"must be {PATTERNS} or a dashboard, not {drill.to}")
            for part, given in (("by", drill.by), ("fixed", drill.fixed)):
                if unknown := sorted(given.keys() - known[drill.to]):
                    raise where.wrong(f"{path}.{part}.{unknown[0]}", f"is not a parameter of {drill.to}")
            for parameter, column in drill.by.items():
                if column not in panel.dimensions:
                    raise where.wrong(f"{path}.by.{parameter}", f"{column} is not a dimension of the panel")


def _check_words(where: Declaration, key: str, fragments: list[str], known: set[str]) -> None:
    for fragment in fragments:
        named = _NAMED.findall(fragment)
        if len(named) != fragment.count("{") or len(named) != fragment.count("}"):
            raise where.wrong(key, f"braces must enclose a name: {fragment}")
        if unknown := sorted(set(named) - known):
            raise where.wrong(key, f"{{{unknown[0]}}} is unknown. Known here: {', '.join(sorted(known))}")
