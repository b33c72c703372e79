"""Organizations, roles and users as the newest load has them, for people who look for an id or a code."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import sql

from orchestration.warehouse.database import Database


def organizations(db: Database) -> list[dict[str, Any]]:
    """Return slug, id, name, status and time zone of each organization, by slug."""
    query = (
        "select slug, organization_id, display_name as name, status, timezone from {} order by slug, organization_id"
    )
    return db.records(sql.SQL(query).format(db.mart("dim_organizations")))


def roles(db: Database, organization: UUID | None) -> list[dict[str, Any]]:
    """Return code, name and organization (its slug, None for a global role) of each role, by code.

    With an organization, those that exist there.
    """
    query = """
        select roles.code as role, roles.display_name as name, organizations.slug as organization
        from {} as roles
        left join {} as organizations using (organization_id)
        where %(one)s::uuid is null or roles.organization_id is null or roles.organization_id = %(one)s
        order by roles.code, organizations.slug nulls first
    """
    statement = sql.SQL(query).format(db.mart("dim_roles"), db.mart("dim_organizations"))
    return db.records(statement, {"one": organization})


def users(db: Database, organization: UUID) -> list[dict[str, Any]]:
    """Return id and account status of each user of an organization, active ones first.

    Raises RefusedError for a role that may not read users.
    """
    query = """
        select user_id, status from {} where organization_id = %s
        order by status is distinct from 'active', status, user_id
    """
    return db.records(sql.SQL(query).format(db.staging("stg_user_accounts")), [organization])
