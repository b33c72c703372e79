"""Finds names of organizations, roles and domains in the configuration that the warehouse does not know (D268)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from orchestration.config.deployment.references import EVERY, Reference, references
from orchestration.config.files import PROJECT
from orchestration.config.problems import Problem, closest, nearest
from orchestration.warehouse.database import Database

ORGANIZATIONS, ROLES, DOMAINS = "dim_organizations", "dim_roles", "report_sla_breaches"
_EVERYBODY = ""  # whose roles are the defaults of all organizations


@dataclass(frozen=True)
class _Known:
    """Slugs of organizations by slug and id, codes of roles by id of the organization, and domains of tasks."""

    slugs: dict[str, str]
    ids: dict[str, str]
    roles: dict[str, set[str]]
    domains: set[str]

    def has_organization(self, name: str) -> bool:
        return name in self.ids or name.lower() in self.slugs

    def roles_of(self, organization: str | None) -> set[str]:
        """Return the roles of an organization with the default ones; all roles without an organization."""
        if organization is None:
            return set().union(*self.roles.values())
        id_ = self.ids.get(organization, organization.lower())
        return self.roles[_EVERYBODY] | self.roles[id_]


def unknown_names(db: Database, project: Path = PROJECT) -> list[Problem]:
    """Return a warning for each name that the warehouse does not know, with file, line and what is similar.

    A domain is reported only if a similar one has tasks, because another may have none yet. Nothing is reported before
    the first load of organizations, and nothing of roles or domains before theirs. Raises InsightsError.
    """
    missing = db.missing({name: db.mart(name) for name in (ORGANIZATIONS, ROLES, DOMAINS)})
    if ORGANIZATIONS in missing:
        return []
    known = _known(db, missing)
    return [problem for one in references(db.settings, project) for problem in _unknown(one, known)]


def _known(db: Database, missing: set[str]) -> _Known:
    rows = db.rows(sql.SQL("select slug, organization_id::text from {}").format(db.mart(ORGANIZATIONS)))
    roles: dict[str, set[str]] = defaultdict(set)
    if ROLES not in missing:
        of_roles = sql.SQL("select coalesce(organization_id::text, {}), code from {}")
        for organization, code in db.rows(of_roles.format(sql.Literal(_EVERYBODY), db.mart(ROLES))):
            roles[organization].add(code)
    domains: set[str] = set()
    if DOMAINS not in missing:
        query = sql.SQL("select distinct domain from {} where domain is not null").format(db.mart(DOMAINS))
        domains = {domain for (domain,) in db.rows(query)}
    return _Known({id_: slug for slug, id_ in rows}, dict(rows), roles, domains)


def _unknown(named: Reference, known: _Known) -> Iterator[Problem]:
    name = named.name
    if name == EVERY:
        return
    if named.kind == "organization" and not known.has_organization(name):
        yield named.unknown(f"no organization has this slug or id.{nearest(name, known.ids)}")
    elif named.kind == "role" and known.roles and name not in (roles := known.roles_of(named.organization)):
        if named.organization and not known.has_organization(named.organization):
            return  # which is reported itself
        of = f" of {named.organization}" if named.organization else ""
        yield named.unknown(f"no role{of} has this code.{nearest(name, roles)}")
    elif named.kind == "domain" and name not in known.domains and (similar := closest(name, known.domains)):
        yield named.unknown(f"no task has this domain. Did you mean {similar}?")
