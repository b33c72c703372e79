"""The roles of loads, dashboards and exports: their settings, and limits that keep dashboards from stopping a load."""

from __future__ import annotations

from psycopg import sql

from orchestration.errors import MisconfiguredError
from orchestration.warehouse.connection import DATE_STYLE, SEARCH_PATH
from orchestration.warehouse.database import Database

# Set on the roles, because a database or server that is tuned for an application may set them otherwise. Results depend
# on the first group. The second would end a load, which has limits of its own.
ALL_ROLES = {
    "timezone": "UTC",
    "datestyle": DATE_STYLE,
    "intervalstyle": "postgres",
    "default_transaction_isolation": "read committed",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
}
WRITER_ONLY = {
    # A policy that hides rows of the source is an error then. Hidden rows would look deleted (decision D129).
    "row_security": "off",
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
    # For locks that a load needs and another writer holds; readers hold up none of them (decision D137).
    "lock_timeout": "10min",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # The statement of a load whose process was killed ends within this time (decision D136).
    "client_connection_check_interval": "5s",
    # The check sees only connections that the kernel knows to be closed. With these, it knows of a machine or network
    # that is gone within a minute, and the claims of the session are free.
    "tcp_keepalives_idle": "30s",
    "tcp_keepalives_interval": "10s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60s",
    # JIT costs seconds for the long statements of a load, which run once.
    "jit": "off",
    # dbt runs several models at once. Parallel workers cost half as much processor time again (decision D195).
    "max_parallel_workers_per_gather": "0",
}
# Only a superuser, or a role with the privilege SET on this parameter, may set it.
TEMP_FILE_LIMIT = "temp_file_limit"


def create_roles(db: Database) -> list[str]:
    """Create the roles that are missing, give each its settings, and return the names of the new ones.

    Raises MisconfiguredError for a superuser, which no grant, policy or limit restricts.
    """
    warehouse = db.settings.insights.warehouse
    created = []
    for key in ("write_user", "read_only_user", "export_user"):
        role = getattr(warehouse, key)
        found = db.rows("select rolsuper from pg_roles where rolname = %s", [role])
        if found == [(True,)]:
            raise MisconfiguredError(
                f"insights.warehouse.{key} is {role}, a superuser, which no grant and no limit restricts. Name another"
                " role in config/insights/config.yaml; insights init creates it."
            )
        if not found:
            db.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
            created.append(role)
    for role, values in (
        (warehouse.write_user, ALL_ROLES | WRITER_ONLY),
        (warehouse.read_only_user, ALL_ROLES),
        (warehouse.export_user, ALL_ROLES),
    ):
        for name, value in values.items():
            _set(db, role, name, value)
        db.execute(sql.SQL("alter role {} set search_path to {}").format(sql.Identifier(role), sql.SQL(SEARCH_PATH)))
    return created


def limit_reader(db: Database) -> list[str]:
    """Set the limits of `warehouse.reader_limits`; return the statements that only a superuser may run (D151)."""
    role, limits = db.settings.insights.warehouse.read_only_user, db.settings.insights.warehouse.reader_limits
    limit = sql.SQL("alter role {} connection limit {}")
    db.execute(limit.format(sql.Identifier(role), sql.Literal(limits.connections)))
    _set(db, role, "statement_timeout", f"{limits.statement_seconds}s")
    _set(db, role, "idle_in_transaction_session_timeout", f"{limits.idle_in_transaction_seconds}s")
    size = f"{limits.temp_file_mb}MB"
    if db.value("select has_parameter_privilege(%s, 'set')", [TEMP_FILE_LIMIT]):
        _set(db, role, TEMP_FILE_LIMIT, size)
        return []
    if db.rows(
        "select from pg_db_role_setting where setrole = %s::regrole and setdatabase = 0 and %s = any(setconfig)",
        [role, f"{TEMP_FILE_LIMIT}={size}"],
    ):
        return []
    return [f"{_setting(role, TEMP_FILE_LIMIT, size).as_string(db.connection)};"]


def spare_connections(db: Database) -> int:
    """Return how many of the server's connections the read-only role leaves to roles that are no superusers."""
    most = int(
        db.value(
            "select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
            " - coalesce(current_setting('reserved_connections', true)::int, 0)"
        )
    )
    return most - db.settings.insights.warehouse.reader_limits.connections


def _set(db: Database, role: str, name: str, value: str) -> None:
    db.execute(_setting(role, name, value))


def _setting(role: str, name: str, value: str) -> sql.Composed:
    return sql.SQL("alter role {} set {} to {}").format(sql.Identifier(role), sql.Identifier(name), sql.Literal(value))
