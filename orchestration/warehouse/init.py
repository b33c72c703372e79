"""`insights init`: schemas, helper objects, and the two roles of the specification (section 3.1) with their grants."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import InsightsError
from orchestration.warehouse import foreign, profiles
from orchestration.warehouse.contract import contract_tables

MINIMUM_SERVER_VERSION = 150000
OWN_SCHEMAS = ("", "_staging", "_snapshots", "_ops")


@dataclass
class InitReport:
    """What init found and did."""

    roles_created: list[str] = field(default_factory=list)
    moved_aside: dict[str, str] = field(default_factory=dict)
    missing_columns: list[str] = field(default_factory=list)
    profiles_changed: int = 0


def initialise(connection: psycopg.Connection, settings: Settings, *, move_aside: bool = False) -> InitReport:
    """Prepare the database of `connection` in one transaction; running it again changes nothing.

    Raises InsightsError when the server is too old, an operational table or a column that cannot be NULL is missing,
    relations of our names are not ours (unless `move_aside`), or this user may not do what is needed.
    """
    report = InitReport()
    try:
        with connection.transaction():
            _check_server(connection)
            report.missing_columns = _check_source(connection, settings)
            _create_roles(connection, settings, report)
            _create_schemas(connection, settings)
            report.moved_aside = foreign.clear(connection, settings, move_aside=move_aside)
            _create_objects(connection, settings)
            _take_over_own_relations(connection, settings)
            _grant_source(connection, settings)
            report.profiles_changed = profiles.synchronise(connection, settings)
    except psycopg.errors.InsufficientPrivilege as error:
        raise InsightsError(
            f"This user may not prepare the database: {str(error).strip()}. Run insights init as a superuser, or as"
            " a role with CREATEROLE that owns the database and the operational tables."
        ) from error
    return report


def _check_server(connection: psycopg.Connection) -> None:
    if connection.info.server_version < MINIMUM_SERVER_VERSION:
        raise InsightsError(
            f"The server is PostgreSQL {connection.info.server_version // 10000}; 15 or later is needed."
        )


def _check_source(connection: psycopg.Connection, settings: Settings) -> list[str]:
    """Which nullable columns are missing; raises InsightsError for a table or column that nothing can stand in for."""
    schema = settings.insights.source.schema_name
    # The catalog itself: information_schema hides what this user has no privilege on.
    rows = connection.execute(
        """
        select c.relname, a.attname
        from pg_attribute as a
        inner join pg_class as c on a.attrelid = c.oid
        inner join pg_namespace as n on c.relnamespace = n.oid
        where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped
        """,
        [schema],
    ).fetchall()
    present: dict[str, set[str]] = {}
    for table, column in rows:
        present.setdefault(table, set()).add(column)
    tables = contract_tables()
    lacking = [t.name for t in tables if t.name not in present]
    if lacking:
        raise InsightsError(
            f"The schema {schema} lacks operational tables: {', '.join(lacking)}. Is this Orgo's database, and"
            " is insights.source.schema in config/insights/config.yaml the schema of its tables?"
        )
    missing = [(t.name, c, null) for t in tables for c, null in t.columns.items() if c not in present[t.name]]
    fatal = [f"{table}.{column}" for table, column, nullable in missing if not nullable]
    if fatal:
        raise InsightsError(f"Operational columns are missing that nothing can stand in for: {', '.join(fatal)}.")
    return [f"{table}.{column}" for table, column, _ in missing]


def _create_roles(connection: psycopg.Connection, settings: Settings, report: InitReport) -> None:
    warehouse = settings.insights.warehouse
    for role in (warehouse.write_user, warehouse.read_only_user):
        if connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone() is None:
            connection.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
            report.roles_created.append(role)
        connection.execute(sql.SQL("alter role {} set timezone to 'UTC'").format(sql.Identifier(role)))
    # A load's statements are long and run once: compiling them costs seconds and saves none (benchmarks/README.md).
    connection.execute(sql.SQL("alter role {} set jit to off").format(sql.Identifier(warehouse.write_user)))


def _create_schemas(connection: psycopg.Connection, settings: Settings) -> None:
    warehouse = settings.insights.warehouse
    for suffix in OWN_SCHEMAS:
        names = {"schema": sql.Identifier(warehouse.schema_name + suffix), "etl": sql.Identifier(warehouse.write_user)}
        connection.execute(sql.SQL("create schema if not exists {schema}").format(**names))
        connection.execute(sql.SQL("grant usage, create on schema {schema} to {etl}").format(**names))
    connection.execute(
        sql.SQL("grant usage on schema {} to {}").format(
            sql.Identifier(warehouse.schema_name), sql.Identifier(warehouse.read_only_user)
        )
    )


def _create_objects(connection: psycopg.Connection, settings: Settings) -> None:
    warehouse = settings.insights.warehouse
    script = files("orchestration.warehouse").joinpath("objects.sql").read_text(encoding="utf-8")
    connection.execute(
        sql.SQL(script).format(
            ops=sql.Identifier(f"{warehouse.schema_name}_ops"),
            etl=sql.Identifier(warehouse.write_user),
            ro=sql.Identifier(warehouse.read_only_user),
        )
    )


def _take_over_own_relations(connection: psycopg.Connection, settings: Settings) -> None:
    """Relations that dbt built as another role (a superuser, say) must be the ETL role's, or it cannot swap them."""
    warehouse = settings.insights.warehouse
    rows = connection.execute(
        """
        select n.nspname, c.relname, c.relkind
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        inner join pg_roles as r on c.relowner = r.oid
        where
            n.nspname = any(%(schemas)s)
            and c.relkind in ('r', 'v', 'm')
            and r.rolname <> %(etl)s
            and (n.nspname <> %(marts)s or obj_description(c.oid, 'pg_class') like 'Grain:%%')
        """,
        {
            "schemas": [warehouse.schema_name + suffix for suffix in OWN_SCHEMAS if suffix != "_ops"],
            "etl": warehouse.write_user,
            "marts": warehouse.schema_name,
        },
    ).fetchall()
    kinds = {"r": "table", "v": "view", "m": "materialized view"}
    for schema, name, kind in rows:
        connection.execute(
            sql.SQL("alter {} {} owner to {}").format(
                sql.SQL(kinds[kind]), sql.Identifier(schema, name), sql.Identifier(warehouse.write_user)
            )
        )


def _grant_source(connection: psycopg.Connection, settings: Settings) -> None:
    """The ETL role may select the contract's columns, and nothing else of the operational tables (design, rule 3)."""
    schema, etl = settings.insights.source.schema_name, sql.Identifier(settings.insights.warehouse.write_user)
    connection.execute(sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(schema), etl))
    for table in contract_tables():
        columns = connection.execute(
            "select column_name from information_schema.columns where table_schema = %s and table_name = %s"
            " and column_name = any(%s)",
            [schema, table.name, list(table.columns)],
        ).fetchall()
        connection.execute(
            sql.SQL("grant select ({}) on {} to {}").format(
                sql.SQL(", ").join(sql.Identifier(name) for (name,) in columns), sql.Identifier(schema, table.name), etl
            )
        )
