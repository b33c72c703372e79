"""Privileges that PostgreSQL gives to everybody by default and that a hardened server has revoked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

from psycopg import sql

from orchestration.errors import RefusedError
from orchestration.warehouse.database import Database
from orchestration.warehouse.translation import SCRIPTS

Wanted = tuple[str, str, str, str]  # kind of object, object, privilege, role


def grant_defaults(db: Database) -> None:
    """Grant the roles what PUBLIC has on a server with default privileges.

    Where this user may not grant, PostgreSQL only warns; `check_privileges` finds it.
    """
    for kind, name, privilege, role in _of_public(db):
        statement = sql.SQL("grant {} on {} {} to {}").format(
            sql.SQL(privilege), sql.SQL(kind), _quoted(kind, name), sql.Identifier(role)
        )
        db.execute(statement)


def check_privileges(db: Database) -> None:
    """Raise RefusedError with every privilege that a role lacks, as the statements that grant them."""
    found = [
        sql.SQL("grant {} on {} {} to {};")
        .format(sql.SQL(privilege), sql.SQL(kind), _quoted(kind, name), sql.Identifier(role))
        .as_string(db.connection)
        for kind, name, privilege, role in (*_of_public(db), *_of_schemas(db))
        if not db.value(f"select has_{kind}_privilege(%s, %s, %s)", [role, name, privilege])
    ]
    if found:
        raise RefusedError(
            "The roles lack privileges that this user may not grant. As the owner of the object, or as a superuser, run"
            f" these, then insights init again: {' '.join(found)}"
        )


def _of_public(db: Database) -> Iterator[Wanted]:
    warehouse, database = db.settings.insights.warehouse, str(db.connection.info.dbname)
    for role, privilege in (
        (warehouse.write_user, "connect"),
        (warehouse.write_user, "temporary"),
        (warehouse.read_only_user, "connect"),
        (warehouse.export_user, "connect"),
        (warehouse.export_user, "temporary"),
    ):
        yield "database", database, privilege, role
    for function in functions_of_init(db.names.ops_schema):
        yield "function", function, "execute", warehouse.write_user


def _of_schemas(db: Database) -> Iterator[Wanted]:
    warehouse, names = db.settings.insights.warehouse, db.names
    for schema in names.schemas:
        yield "schema", schema, "usage", warehouse.write_user
        yield "schema", schema, "create", warehouse.write_user
    if not db.settings.is_duckdb:
        yield "schema", names.source_schema, "usage", warehouse.write_user
    yield "schema", names.marts_schema, "usage", warehouse.read_only_user
    yield "schema", names.ops_schema, "usage", warehouse.read_only_user
    yield "schema", names.marts_schema, "usage", warehouse.export_user
    yield "schema", names.personal_schema, "usage", warehouse.export_user
    yield "schema", names.ops_schema, "usage", warehouse.export_user


def functions_of_init(ops_schema: str) -> list[str]:
    """Return the functions of the scripts with their arguments' types, as their comments name them."""
    scripts = [files("orchestration.warehouse").joinpath("scripts", name) for name in SCRIPTS]
    text = "".join(script.read_text(encoding="utf-8") for script in scripts)
    return re.findall(r"^comment on function (\S+\(.*\)) is", text.replace("{ops}", ops_schema), re.M)


def _quoted(kind: str, name: str) -> sql.Composable:
    # A function's name is made of SqlName and of our scripts, which need no quotes.
    return sql.SQL(name) if kind == "function" else sql.Identifier(name)
