"""Removes foreign relations with the names of marts from the marts' schema; Orgo's migrations create empty ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from orchestration.errors import ConflictError
from orchestration.warehouse.contract import mart_names
from orchestration.warehouse.database import Database

# dbt stores the description of each mart as a comment, and each description begins like this.
OWN_MARK = "Grain:%"

# pg_class.relkind and the keyword for ALTER.
KINDS = {"r": "table", "p": "table", "f": "foreign table", "v": "view", "m": "materialized view"}


@dataclass(frozen=True)
class Cleared:
    """What `clear` did: names of dropped empty tables, and new names of moved relations by their old names."""

    dropped: list[str] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)


def clear(db: Database, *, move_aside: bool) -> Cleared:
    """Remove foreign relations with the names of marts from the marts' schema (decision D133).

    Empty tables that nothing else depends on are dropped, if there are no others. Otherwise all are moved with
    `move_aside`, and without it, ConflictError names them. A table is moved, with its rows, indexes and sequences, to
    the schema `<marts>_aside`, at the next time to `<marts>_aside_2` and so on, because its indexes and sequences may
    have the same names.
    """
    schema = db.names.marts_schema
    found = _foreign_relations(db)
    if not found:
        return Cleared()
    if move_aside:
        return Cleared(moved=_move(db, found))
    if _drop_empty(db, found):
        return Cleared(dropped=[f"{schema}.{name}" for name, _ in found])
    raise ConflictError(
        f"The schema {schema} holds relations of the same names that this project did not build:"
        f" {', '.join(name for name, _ in found)}. Move them aside (no row is dropped): insights init --move-aside"
    )


def _drop_empty(db: Database, found: list[tuple[Any, ...]]) -> bool:
    """Drop the relations if all are empty tables and nothing else depends on them; return whether it did."""
    if any(kind != "r" for _, kind in found):
        return False
    tables = [db.mart(name) for name, _ in found]
    names = sql.SQL(", ").join(tables)
    db.execute(sql.SQL("lock table {} in access exclusive mode").format(names))
    # A policy must not make a table look empty.
    db.execute("set local row_security = off")
    if any(db.value(sql.SQL("select exists (select from {})").format(table)) for table in tables):
        return False
    try:
        with db.connection.transaction():
            db.execute(sql.SQL("drop table {} restrict").format(names))
    except ConflictError:
        return False
    return True


def _move(db: Database, found: list[tuple[Any, ...]]) -> dict[str, str]:
    schema = db.names.marts_schema
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
