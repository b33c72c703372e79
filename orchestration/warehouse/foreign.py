"""Relations in the marts' schema that bear our names and are not ours: Orgo's own migrations create such tables."""

from __future__ import annotations

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import InsightsError
from orchestration.warehouse.contract import mart_names

# dbt writes each mart's description into the catalog, and each begins so; nobody else's comment does.
OWN_MARK = "Grain:%"


def clear(connection: psycopg.Connection, settings: Settings, *, move_aside: bool) -> dict[str, str]:
    """Make sure that no foreign relation stands where a mart must; returns what was moved, old name to new name.

    Raises InsightsError naming the relations unless `move_aside`. Nothing is ever dropped: a table goes, with its rows,
    indexes and dependent views, to the schema `<marts>_aside`.
    """
    schema = settings.insights.warehouse.schema_name
    found = _foreign_relations(connection, schema)
    if found and not move_aside:
        raise InsightsError(
            f"The schema {schema} holds relations of the same names that this project did not build:"
            f" {', '.join(name for name, _, _ in found)}. Move them aside (no row is dropped):"
            " insights init --move-aside"
        )
    if not found:
        return {}
    aside = f"{schema}_aside"
    connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(aside)))
    return {f"{schema}.{name}": _move(connection, schema, aside, name, kind) for name, kind, _ in found}


def _foreign_relations(connection: psycopg.Connection, schema: str) -> list[tuple[str, str, int]]:
    return connection.execute(
        """
        select c.relname, c.relkind::text, c.oid::bigint
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            n.nspname = %s
            and c.relname = any(%s)
            and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and coalesce(obj_description(c.oid, 'pg_class'), '') not like %s
        order by c.relname
        """,
        [schema, mart_names(), OWN_MARK],
    ).fetchall()


def _move(connection: psycopg.Connection, schema: str, aside: str, name: str, kind: str) -> str:
    """Move one relation; where the name is taken by an earlier move, a number is added."""
    kinds = {"r": "table", "p": "table", "f": "foreign table", "v": "view", "m": "materialized view"}
    target, number = name, 1
    while connection.execute(
        "select to_regclass(format('%%I.%%I', %s::text, %s::text))", [aside, target]
    ).fetchone() != (None,):
        number += 1
        target = f"{name}_{number}"
    if target != name:
        statement = sql.SQL("alter {} {} rename to {}")
        connection.execute(statement.format(sql.SQL(kinds[kind]), sql.Identifier(schema, name), sql.Identifier(target)))
    connection.execute(
        sql.SQL("alter {} {} set schema {}").format(
            sql.SQL(kinds[kind]), sql.Identifier(schema, target), sql.Identifier(aside)
        )
    )
    return f"{aside}.{target}"
