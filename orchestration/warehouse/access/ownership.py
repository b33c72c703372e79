"""Refuses bookkeeping that others made, and gives the ETL role what dbt made as another role, such as a superuser."""

from __future__ import annotations

from psycopg import sql

from orchestration.errors import ConflictError
from orchestration.warehouse import foreign
from orchestration.warehouse.access.privileges import functions_of_init
from orchestration.warehouse.database import Database
from orchestration.warehouse.translation import tables_of_init

# Who may have prepared a database: this user and roles that it acts for, but not those of Insights; superusers; and
# roles with CREATEROLE, which `insights init` needs.
_MADE_BY_OTHERS = """
    with made (kind, name, owner) as (
        select 'schema', n.nspname::text, n.nspowner from pg_namespace as n where n.nspname = %(ops)s
        union all
        select
            case when c.relkind = 'v' then 'view' else 'table' end,
            c.oid::regclass::text,
            c.relowner
        from pg_class as c
        where c.relnamespace = to_regnamespace(%(schema)s) and c.relname = any(%(tables)s) and c.relkind <> 'i'
        union all
        select 'function', p.oid::regprocedure::text, p.proowner
        from pg_proc as p
        where p.pronamespace = to_regnamespace(%(schema)s) and p.proname = any(%(functions)s)
    )

    select made.kind, made.name, r.rolname::text
    from made
    inner join pg_roles as r on made.owner = r.oid
    inner join pg_roles as me on me.rolname = current_user
    where
        not (r.rolsuper or r.rolcreaterole or r.oid = me.oid)
        and (me.rolsuper or r.rolname = any(%(roles)s) or not pg_has_role(r.oid, 'usage'))
    order by made.kind, made.name
"""


def check_bookkeeping(db: Database) -> None:
    """Raise ConflictError if another role made what the scripts of `insights init` expect to be theirs (D150).

    A trigger on such a table would run with the rights of the administrator.
    """
    warehouse, ops = db.settings.insights.warehouse, db.names.ops_schema
    found = db.rows(
        _MADE_BY_OTHERS,
        {
            "ops": ops,
            "schema": sql.Identifier(ops).as_string(db.connection),
            "tables": list(tables_of_init()),
            "functions": [signature.split("(")[0].split(".")[1] for signature in functions_of_init(ops)],
            "roles": [warehouse.write_user, warehouse.read_only_user, warehouse.export_user],
        },
    )
    if found:
        listed = ", ".join(f"the {kind} {name} ({owner})" for kind, name, owner in found)
        raise ConflictError(
            f"Roles that may not prepare this database own objects of its bookkeeping: {listed}. What they put into"
            " them would run with your rights. Drop what is not from Insights. Only if such a role has run insights"
            " init before, give each object to yourself: alter ... owner to current_user; then run insights init again."
        )


def take_over_relations(db: Database) -> None:
    """Give relations that dbt built as another role, such as a superuser, to the ETL role, which must swap them."""
    etl = db.settings.insights.warehouse.write_user
    rows = db.rows(
        """
        select n.nspname, c.relname, c.relkind
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        inner join pg_roles as r on c.relowner = r.oid
        where
            n.nspname = any(%(schemas)s)
            and c.relkind in ('r', 'v', 'm')
            and r.rolname <> %(etl)s
            and (n.nspname <> %(marts)s or obj_description(c.oid, 'pg_class') like %(own)s)
        """,
        {
            "schemas": [name for name in db.names.schemas if name != db.names.ops_schema],
            "etl": etl,
            "marts": db.names.marts_schema,
            "own": foreign.OWN_MARK,
        },
    )
    for schema, name, kind in rows:
        db.execute(
            sql.SQL("alter {} {} owner to {}").format(
                sql.SQL(foreign.KINDS[kind]), sql.Identifier(schema, name), sql.Identifier(etl)
            )
        )


def take_over_functions(db: Database) -> None:
    """Give functions that dbt made as another role, such as a superuser, to the ETL role, which must replace them."""
    etl = db.settings.insights.warehouse.write_user
    rows = db.rows(
        """
        select p.oid::regprocedure::text
        from pg_proc as p
        inner join pg_roles as r on p.proowner = r.oid
        where p.pronamespace = to_regnamespace(%s) and p.prokind = 'f' and r.rolname <> %s
        """,
        [sql.Identifier(db.names.staging_schema).as_string(db.connection), etl],
    )
    for (signature,) in rows:  # PostgreSQL has quoted it
        db.execute(sql.SQL("alter function {} owner to {}").format(sql.SQL(signature), sql.Identifier(etl)))
