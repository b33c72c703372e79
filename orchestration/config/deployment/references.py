"""Lists where the configuration names organizations, roles and domains, which only a database knows (decision D268).

Reads files only. Names of profiles and calendars are in files too, and are checked there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from orchestration.config.deployment import calendars, targets
from orchestration.config.deployment.lines import Line, read_lines
from orchestration.config.problems import KeyPath, Problem
from orchestration.config.rule import path
from orchestration.config.rules import finding
from orchestration.config.settings import Settings

EVERY = "*"
_ROLES = (
    *(f"insights.access.{name}_roles" for name in ("public", "internal", "restricted", "anonymised")),
    "insights.reports_api.superuser_roles",
)


@dataclass(frozen=True)
class Reference:
    """A name in a file, with its place as a warning that does not say yet what is wrong.

    A role may be named together with the `organization` whose role it must be.
    """

    kind: Literal["organization", "role", "domain"]
    name: str
    place: Problem
    organization: str | None = None

    def unknown(self, says: str) -> Problem:
        """Return the warning that the database does not know the name."""
        return replace(self.place, says=says)


def references(settings: Settings, project: Path) -> list[Reference]:
    """Return each name in the settings, and in the files of the deployment below `project`, in their order."""
    return [*_of_settings(settings), *_of_files(project)]


def _of_settings(settings: Settings) -> Iterator[Reference]:
    insights = settings.insights
    for index, export in enumerate(insights.exports.scheduled):
        where = (*path("insights.exports.scheduled"), index, "organization")
        yield _setting(settings, "organization", where, export.organization)
    for key in _ROLES:
        section, name = key.split(".")[1:]
        for index, role in enumerate(getattr(getattr(insights, section), name)):
            yield _setting(settings, "role", (*path(key), index), role)
    for domain in insights.patterns.overrides_by_domain:
        yield _setting(settings, "domain", (*path("insights.patterns.overrides_by_domain"), domain), domain)
    for index, recipient in enumerate(insights.digests.recipients):
        where = (*path("insights.digests.recipients"), index)
        yield _setting(settings, "organization", (*where, "organization"), recipient.organization)
        for number, role in enumerate(recipient.roles):
            named = _setting(settings, "role", (*where, "roles", number), role)
            yield replace(named, organization=recipient.organization)


def _setting(
    settings: Settings, kind: Literal["organization", "role", "domain"], where: KeyPath, name: str
) -> Reference:
    place = finding(settings, "warning", where, name, "")
    return Reference(kind, name, replace(place, value=None if kind == "domain" else f'"{name}"'))


def _of_files(project: Path) -> Iterator[Reference]:
    # A file with mistakes stops every command before: it has no lines here.
    named = calendars.FOLDER / "business_calendars.csv"
    for line in read_lines(project, named, calendars.COLUMNS["business_calendars"], []):
        yield _cell(line, "organization", "organization_slug")
    for line in read_lines(project, targets.FILE, targets.COLUMNS, []):
        yield _cell(line, "organization", "organization_slug")
        yield _cell(line, "domain", "domain")


def _cell(line: Line, kind: Literal["organization", "domain"], column: str) -> Reference:
    return Reference(kind, line.cells[column], replace(line.problem(column, ""), level="warning"))
