"""Gives the ETL role what dbt made as another role, such as a superuser."""

from __future__ import annotations

from psycopg import sql

from orchestration.warehouse import foreign
from orchestration.warehouse.database import Database


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
