"""Finds and moves foreign relations with the names of marts in the marts' schema; Orgo's migrations create some."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from orchestration.errors import ConflictError
from orchestration.warehouse.contract import mart_names
from orchestration.warehouse.database import Database

# dbt stores the description of each mart as a comment, and each description begins like this.
OWN_MARK = "Grain:%"

# pg_class.relkind and the keyword for ALTER.
KINDS = {"r": "table", "p": "table", "f": "foreign table", "v": "view", "m": "materialized view"}


def clear(db: Database, *, move_aside: bool) -> dict[str, str]:
    """Move foreign relations with the names of marts away; returns new names by old names.

    Raises ConflictError with their names unless `move_aside`. Nothing is dropped: a table is moved, with its rows,
    indexes and sequences, to the schema `<marts>_aside`, at the next time to `<marts>_aside_2` and so on, because its
    indexes and sequences may have the same names.
    """
    schema = db.names.marts_schema
    found = _foreign_relations(db)
    if found and not move_aside:
        raise ConflictError(
            f"The schema {schema} holds relations of the same names that this project did not build:"
            f" {', '.join(name for name, _ in found)}. Move them aside (no row is dropped):"
            " insights init --move-aside"
        )
    if not found:
        return {}
    aside = _make_schema(db, f"{schema}_aside")
    for name, kind in found:
        statement = sql.SQL("alter {} {} set schema {}")
        db.execute(statement.format(sql.SQL(KINDS[kind]), db.mart(name), sql.Identifier(aside)))
    return {f"{schema}.{name}": f"{aside}.{name}" for name, _ in found}


def _foreign_relations(db: Database) -> list[tuple[Any, ...]]:
    return db.rows(
        """
        select c.relname, c.relkind::text
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            n.nspname = %s
            and c.relname = any(%s)
            and c.relkind = any(%s)
            and coalesce(obj_description(c.oid, 'pg_class'), '') not like %s
        order by c.relname
        """,
        [db.names.marts_schema, mart_names(), list(KINDS), OWN_MARK],
    )


def _make_schema(db: Database, wanted: str) -> str:
    """Create a schema with this name, or with the first free number appended, and return its name."""
    name, number = wanted, 1
    while db.rows("select from pg_namespace where nspname = %s", [name]):
        number += 1
        name = f"{wanted}_{number}"
    db.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))
    return name
