"""Prepares a database: schemas, helper objects, and the roles of the specification (section 3.1) with grants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import BusyError, MisconfiguredError, RefusedError
from orchestration.warehouse import foreign, profiles, releases
from orchestration.warehouse.access import export_role, ownership, row_security
from orchestration.warehouse.access.privileges import check_privileges, grant_defaults
from orchestration.warehouse.access.roles import create_roles, limit_reader, spare_connections
from orchestration.warehouse.connection import DATE_STYLE, SEARCH_PATH
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.database import Database
from orchestration.warehouse.deliveries import STATUSES
from orchestration.warehouse.script import run_script
from orchestration.warehouse.transaction_lock import retried, transaction_lock
from orchestration.warehouse.translation import Messages
from orchestration.warehouse.writer_lock import without_writers

LOCK_NAME = "orgo-insights-init"
MINIMUM_SERVER_VERSION = 150000
# Seconds to wait for what writes, for another `insights init`, and for sessions that hold what this one changes.
PATIENCE = 30
# The longest wait for one lock: dashboards that need the same object queue behind it for as long.
LOCK_TIMEOUT = "1s"
MESSAGES: Messages = {
    BusyError: "Another session changes the same objects of the database, or reads what changes ({detail})."
    " Run insights init again.",
    RefusedError: "This user may not prepare the database: {detail}. Run insights init as a superuser, or as"
    " a role with CREATEROLE that owns the database and the operational tables and that, from PostgreSQL 16 on, has the"
    " ADMIN option on roles of Insights that another user has made.",
}

# Schemas in which every role may create objects.
_OPEN_SCHEMAS = """
    select distinct n.nspname from pg_namespace as n
    cross join lateral aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a
    where a.grantee = 0 and a.privilege_type = 'CREATE'
    order by n.nspname
"""


@dataclass
class InitReport:
    """The changes of `initialize`, and what an administrator should know.

    `missing_columns` are nullable columns of the contract; `open_schemas` are schemas in which every role may create
    objects; `unset_limits` are the limits of the read-only role that this user may not set; `spare_connections` is the
    number of the server's connections that the read-only role leaves to others; `stores_export_key` says whether the
    database knows the key of the masks, without which the role of exports cannot export.
    """

    roles_created: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    moved_aside: dict[str, str] = field(default_factory=dict)
    missing_columns: list[str] = field(default_factory=list)
    open_schemas: list[str] = field(default_factory=list)
    unset_limits: list[str] = field(default_factory=list)
    spare_connections: int = 0
    profiles_changed: int = 0
    stores_export_key: bool = False


def initialize(connection: psycopg.Connection, settings: Settings, *, move_aside: bool = False) -> InitReport:
    """Prepare the database of `connection` in one transaction; it is idempotent.

    A serving database (`Settings.serving_url`) is prepared as a warehouse is, but has no operational tables.
    Raises MisconfiguredError if the server is too old, or an operational table or a required column is missing;
    ConflictError for foreign relations with the names of marts, unless they are empty tables or `move_aside`, and for
    bookkeeping that others made, and in a database that a newer release has prepared;
    RefusedError if the user lacks a privilege or the server is a standby; BusyError, which names them, if other
    sessions write to the database, prepare it or hold its objects for too long.
    """
    refuse_standby(connection)
    db = Database(settings, connection, MESSAGES)
    with without_writers(db, PATIENCE):
        return retried(db, PATIENCE, lambda: _committed(db, move_aside=move_aside))


def refuse_standby(connection: psycopg.Connection) -> None:
    """Raise RefusedError if the server takes no changes."""
    if connection.info.parameter_status("in_hot_standby") == "on":
        raise RefusedError(
            "This server is a standby, which takes no changes. Connect to the primary server, with --admin-url,"
            " INSIGHTS_ADMIN_URL or libpq's variables."
        )


@contextmanager
def transaction(db: Database, lock_timeout: str, patience: float, *, is_kept: bool = True) -> Iterator[None]:
    """Hold the lock of `insights init` for a block that is one transaction, which is rolled back unless `is_kept`.

    `lock_timeout` is the longest wait for one lock of an object, `patience` that for another `insights init`, in
    seconds. Raises BusyError after them.
    """
    connection = db.connection
    with db.errors(), connection.transaction(force_rollback=not is_kept):
        # The database may have defaults that end this transaction; the roles get their own in `change`.
        connection.execute("set transaction isolation level read committed read write")
        connection.execute("set local statement_timeout to 0; set local idle_in_transaction_session_timeout to 0")
        connection.execute(sql.SQL("set local lock_timeout to {}").format(lock_timeout))
        connection.execute(sql.SQL("set local search_path to {}").format(sql.SQL(SEARCH_PATH)))
        connection.execute(sql.SQL("set local datestyle to {}").format(DATE_STYLE))
        transaction_lock(connection, LOCK_NAME, "preparing this database", patience)
        yield


def _committed(db: Database, *, move_aside: bool) -> InitReport:
    with transaction(db, LOCK_TIMEOUT, PATIENCE):
        report = change(db, move_aside=move_aside)
        for table in without_statistics(db):
            db.execute(sql.SQL("analyze {}").format(db.source(table)))
    return report


def change(db: Database, *, move_aside: bool) -> InitReport:
    """Make all changes of `initialize` in the present transaction, without statistics. Raises like `initialize`."""
    report = InitReport()
    _check_server(db.connection)
    has_source = not db.settings.is_duckdb
    if has_source:
        report.missing_columns = _check_source(db)
        _check_policies(db)
    ownership.check_bookkeeping(db)
    if prepared := releases.newest(db):
        releases.refuse_going_back(prepared.version)
    report.roles_created = create_roles(db)
    report.unset_limits = limit_reader(db)
    _create_schemas(db)
    cleared = foreign.clear(db, move_aside=move_aside)
    report.dropped, report.moved_aside = cleared.dropped, cleared.moved
    _run_script(db, "objects.sql")
    row_security.prepare(db)
    report.stores_export_key = export_role.prepare(db)
    ownership.take_over_relations(db)
    ownership.take_over_functions(db)
    if has_source:
        _grant_source(db)
    grant_defaults(db)
    check_privileges(db)
    report.profiles_changed = profiles.synchronize(db)
    releases.record(db)
    report.spare_connections = spare_connections(db)
    report.open_schemas = [name for (name,) in db.rows(_OPEN_SCHEMAS)]
    _run_script(db, "alterations.sql")
    return report


def _check_server(connection: psycopg.Connection) -> None:
    if connection.info.server_version < MINIMUM_SERVER_VERSION:
        raise MisconfiguredError(
            f"The server is PostgreSQL {connection.info.server_version // 10000}; 15 or later is needed."
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise MisconfiguredError(
            f"The database {connection.info.dbname} has the encoding {encoding}; UTF8 is needed. Copy it with pg_dump"
            " into a database that was created with: create database ... encoding 'UTF8' template template0"
        )
    if set(connection.info.dbname) & set("'\""):
        raise MisconfiguredError(
            f"The name of the database {connection.info.dbname} contains a quotation mark, which dbt cannot read."
            " Rename it: alter database ... rename to ..."
        )


def _check_source(db: Database) -> list[str]:
    """Return the nullable columns that are missing; raises MisconfiguredError for any other table or column."""
    schema = db.names.source_schema
    # pg_catalog, because information_schema hides columns without a privilege of this user.
    rows = db.rows(
        """
        select c.relname, a.attname
        from pg_attribute as a
        inner join pg_class as c on a.attrelid = c.oid
        inner join pg_namespace as n on c.relnamespace = n.oid
        where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped
        """,
        [schema],
    )
    present: dict[str, set[str]] = {}
    for table, column in rows:
        present.setdefault(table, set()).add(column)
    tables = contract_tables()
    lacking = [t.name for t in tables if t.name not in present]
    if lacking:
        raise MisconfiguredError(
            f"The schema {schema} lacks operational tables: {', '.join(lacking)}. Is this Orgo's database, and"
            " is insights.source.schema in config/insights/config.yaml the schema of its tables?"
        )
    other_case = [
        f'{t.name}."{other}" ({name})'
        for t in tables
        for name in t.columns
        if name not in present[t.name]
        for other in sorted(present[t.name])
        if other.lower() == name
    ]
    if other_case:
        raise MisconfiguredError(
            f"Columns of the schema {schema} are named in other letters than the contract's: {', '.join(other_case)}."
            f" Rename them, or put views with the contract's names into a schema of their own and give its name to"
            " insights.source.schema in config/insights/config.yaml."
        )
    missing = [(t.name, name, c) for t in tables for name, c in t.columns.items() if name not in present[t.name]]
    fatal = [f"{table}.{name}" for table, name, column in missing if not column.nullable]
    if fatal:
        raise MisconfiguredError(f"Operational columns without a substitute are missing: {', '.join(fatal)}.")
    return [f"{table}.{name}" for table, name, column in missing if not column.deployed_only]


def _check_policies(db: Database) -> None:
    """Raise MisconfiguredError if row-level security would hide rows of the source from the ETL role."""
    etl = db.settings.insights.warehouse.write_user
    rows = db.rows(
        """
        select c.relname
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        left join pg_roles as r on r.rolname = %(etl)s
        where
            n.nspname = %(schema)s
            and c.relname = any(%(tables)s)
            and c.relrowsecurity
            and not coalesce(r.rolsuper or r.rolbypassrls, false)
            and (c.relforcerowsecurity or not coalesce(pg_has_role(r.oid, c.relowner, 'usage'), false))
        order by c.relname
        """,
        {"etl": etl, "schema": db.names.source_schema, "tables": [table.name for table in contract_tables()]},
    )
    if rows:
        verb = "alter" if db.rows("select from pg_roles where rolname = %s", [etl]) else "create"
        statement = sql.SQL(f"{verb} role {{}} {'login ' if verb == 'create' else ''}bypassrls").format(
            sql.Identifier(etl)
        )
        raise MisconfiguredError(
            f"Row-level security hides rows of {', '.join(name for (name,) in rows)} from {etl}, and hidden rows would"
            f" look deleted. Let it read every row, as a superuser: {statement.as_string(db.connection)};"
        )


def _create_schemas(db: Database) -> None:
    warehouse = db.settings.insights.warehouse
    for name in db.names.schemas:
        names = {"schema": sql.Identifier(name), "etl": sql.Identifier(warehouse.write_user)}
        db.execute(sql.SQL("create schema if not exists {schema}").format(**names))
        db.execute(sql.SQL("grant usage, create on schema {schema} to {etl}").format(**names))
    marts, reader = sql.Identifier(db.names.marts_schema), sql.Identifier(warehouse.read_only_user)
    db.execute(sql.SQL("grant usage on schema {} to {}").format(marts, reader))


def _run_script(db: Database, name: str) -> None:
    warehouse = db.settings.insights.warehouse
    run_script(
        db,
        name,
        ops=sql.Identifier(db.names.ops_schema),
        etl=sql.Identifier(warehouse.write_user),
        ro=sql.Identifier(warehouse.read_only_user),
        export=sql.Identifier(warehouse.export_user),
        statuses=sql.SQL(", ").join(map(sql.Literal, STATUSES)),
    )


def _grant_source(db: Database) -> None:
    """Grant the ETL role SELECT on the contract's columns only (design, rule 3)."""
    schema, etl = db.names.source_schema, sql.Identifier(db.settings.insights.warehouse.write_user)
    db.execute(sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(schema), etl))
    for table in contract_tables():
        # pg_catalog, because information_schema has no materialized views.
        columns = db.rows(
            "select attname from pg_attribute where attrelid = to_regclass(%s) and attname = any(%s)"
            " and attnum > 0 and not attisdropped",
            [db.source(table.name).as_string(db.connection), list(table.columns)],
        )
        names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in columns)
        db.execute(sql.SQL("grant select ({}) on {} to {}").format(names, db.source(table.name), etl))


def without_statistics(db: Database) -> list[str]:
    """Return the operational tables without statistics, as after a restore; the plans of a load depend on them."""
    return [
        table.name
        for table in contract_tables()
        if db.value(
            "select reltuples < 0 and relkind in ('r', 'p', 'm') and pg_has_role(relowner, 'USAGE')"
            " from pg_class where oid = to_regclass(%s)",
            [db.source(table.name).as_string(db.connection)],
        )
    ]
