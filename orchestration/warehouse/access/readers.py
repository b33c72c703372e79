"""Readers: logins that see the rows of one organization in the marts, and nothing else (decision D152)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import errors, sql

from orchestration.errors import ConflictError, MisconfiguredError, NotFoundError, RefusedError
from orchestration.warehouse.access.roles import ALL_ROLES
from orchestration.warehouse.access.row_security import readers_group
from orchestration.warehouse.database import Database
from orchestration.warehouse.ids import canonical_id
from orchestration.warehouse.translation import Messages

MESSAGES: Messages = {
    RefusedError: "This user may not change readers: {detail}. Give --admin-url (or INSIGHTS_ADMIN_URL) of the user"
    " that ran insights init, or of a superuser.",
}


@dataclass(frozen=True)
class Reader:
    """One login. `slug` is None if the organization is not in dim_organizations any more."""

    role: str
    organization_id: UUID
    slug: str | None
    added_at: datetime
    has_login: bool


def readers(db: Database) -> list[Reader]:
    """Return the readers of this database, ordered by slug."""
    query = sql.SQL(
        """
        select r.role_name::text, r.organization_id, o.slug, r.added_at, coalesce(p.rolcanlogin, false)
        from {readers} as r
        left join {organizations} as o on r.organization_id = o.organization_id
        left join pg_catalog.pg_roles as p on r.role_name = p.rolname
        order by o.slug nulls last, r.role_name
        """
    ).format(readers=db.ops("readers"), organizations=db.mart("dim_organizations"))
    return [Reader(*row) for row in db.rows(query)]


def slug_of(db: Database, organization: UUID) -> str:
    """Return the slug of an organization of dim_organizations; its id if it has none."""
    query = sql.SQL("select slug from {} where organization_id = %s").format(db.mart("dim_organizations"))
    return str(db.value(query, [organization]) or organization)


def add(admin: Database, organization: UUID, slug: str, password: str) -> tuple[str, bool]:
    """Create the login of an organization, or give it another password; returns its name and whether it is new.

    `admin` is a connection as the user of `insights init`, `slug` a part of a new login's name. The row-level security
    of the marts must be set already. Raises ConflictError if a role has the name that is not the login of this
    organization here, and RefusedError if the login would have more rights than those of a reader.
    """
    stored = _stored(admin, organization)
    role = stored or _name(admin, organization, slug)
    with admin.errors(), admin.connection.transaction():
        exists = bool(admin.rows("select from pg_catalog.pg_roles where rolname = %s", [role]))
        if exists and not _is_ours(admin, role):
            raise ConflictError(f"The role {role} exists and is not a reader of this database. Rename or drop it.")
        _write_role(admin, role, password, exists=exists)
        if stored is None:
            insert = sql.SQL("insert into {} (role_name, organization_id) values (%s, %s)").format(admin.ops("readers"))
            admin.execute(insert, [role, organization])
        _check_isolated(admin, role)
    return role, not exists


def remove(admin: Database, db: Database, given: str) -> str:
    """Remove the login of an organization (slug or id) and return its name; open sessions see no rows from then on.

    Raises NotFoundError if the organization has no login, and ConflictError if the role remains because it owns objects
    or has rights that others gave it; it can then neither log in nor see rows.
    """
    known = canonical_id(given)
    organization = UUID(known) if known else db.organization(given)
    role = _stored(admin, organization)
    if role is None:
        raise NotFoundError(f"The organization {given!r} has no reader; insights reader list shows all.")
    name, group = sql.Identifier(role), sql.Identifier(readers_group(admin.settings))
    with admin.errors(), admin.connection.transaction():
        admin.execute(sql.SQL("delete from {} where role_name = %s").format(admin.ops("readers")), [role])
        is_ours = _is_ours(admin, role)
        if is_ours:
            admin.execute(sql.SQL("revoke {} from {}").format(group, name))
            admin.execute(sql.SQL("alter role {} nologin").format(name))
    if is_ours:
        try:
            with admin.connection.transaction():
                admin.connection.execute(sql.SQL("drop role {}").format(name))
        except errors.DependentObjectsStillExist as error:
            raise ConflictError(
                f"{role} can no longer log in or see rows, but the role remains, because it owns objects or has other"
                f" rights. As a superuser, run: drop owned by {role}; drop role {role};"
            ) from error
    return role


def check_same_database(admin: Database, db: Database) -> None:
    """Raise MisconfiguredError unless both connections lead to one database."""
    query = "select current_database(), pg_catalog.pg_postmaster_start_time()"
    if admin.rows(query) != db.rows(query):
        raise MisconfiguredError(
            f"The administrator's address leads to the database {admin.connection.info.dbname}, INSIGHTS_WAREHOUSE_URL"
            f" to {db.connection.info.dbname} or another server; both must lead to the database of the warehouse."
        )


def _stored(admin: Database, organization: UUID) -> str | None:
    query = sql.SQL("select role_name::text from {} where organization_id = %s").format(admin.ops("readers"))
    role: str | None = admin.value(query, [organization])
    return role


def _name(admin: Database, organization: UUID, slug: str) -> str:
    """Return a name that is unique in the server, because roles belong to all its databases."""
    settings, database = admin.settings, admin.connection.info.dbname
    readable = re.sub(r"[^a-z0-9]+", "_", slug.lower()).strip("_")[:20]
    unique = hashlib.sha256(f"{database}/{settings.insights.warehouse.schema_name}/{organization}".encode()).hexdigest()
    return "_".join(filter(None, (settings.insights.warehouse.read_only_user[:24], readable, unique[:12])))


def _mark(admin: Database) -> str:
    """Return the comment of the roles that this database made; they must not be dropped from another one."""
    return f"Reader of {admin.names.marts_schema} in the database {admin.connection.info.dbname} (Orgo Insights)"


def _is_ours(admin: Database, role: str) -> bool:
    query = "select pg_catalog.shobj_description(oid, 'pg_authid') = %s from pg_catalog.pg_roles where rolname = %s"
    return admin.value(query, [_mark(admin), role]) is True


def _write_role(admin: Database, role: str, password: str, *, exists: bool) -> None:
    name = sql.Identifier(role)
    # The server gets and logs a verifier, never the password.
    verifier = admin.connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    limits = admin.settings.insights.warehouse.reader_limits
    admin.execute(
        sql.SQL("{} role {} login inherit connection limit {} password {}").format(
            sql.SQL("alter" if exists else "create"), name, sql.Literal(limits.login_connections), sql.Literal(verifier)
        )
    )
    admin.execute(sql.SQL("comment on role {} is {}").format(name, sql.Literal(_mark(admin))))
    # Defaults against careless queries; a session can change all but the number of connections.
    reader_only = {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{limits.statement_seconds}s",
        "idle_in_transaction_session_timeout": f"{limits.idle_in_transaction_seconds}s",
    }
    for setting, value in (ALL_ROLES | reader_only).items():
        statement = sql.SQL("alter role {} set {} to {}")
        admin.execute(statement.format(name, sql.Identifier(setting), sql.Literal(value)))
    # Relations of the marts need no schema, and nothing that others created elsewhere is found by its bare name.
    path = sql.SQL("alter role {} set search_path to pg_catalog, {}, pg_temp")
    admin.execute(path.format(name, sql.Identifier(admin.names.marts_schema)))
    admin.execute(sql.SQL("grant {} to {}").format(sql.Identifier(readers_group(admin.settings)), name))


def _check_isolated(admin: Database, role: str) -> None:
    """Raise RefusedError if the role, directly or through the group, is more than a reader."""
    query = """
        with recursive memberships as (
            select oid from pg_catalog.pg_roles where rolname = %(role)s
            union
            select m.roleid from pg_catalog.pg_auth_members as m inner join memberships as s on m.member = s.oid
        )

        select r.rolname::text
        from memberships
        inner join pg_catalog.pg_roles as r on memberships.oid = r.oid
        where
            r.rolname not in (%(role)s, %(group)s)
            or r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication
        order by r.rolname
    """
    found = admin.rows(query, {"role": role, "group": readers_group(admin.settings)})
    if found:
        raise RefusedError(
            f"{role} would have more rights than a reader, through: {', '.join(name for (name,) in found)}. Revoke"
            " these memberships or attributes first."
        )
