"""A warehouse of many organizations: each new one has renamed copies of rows of one organization of the sample."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql
from support.warehouse import Warehouse

from orchestration.manifest import Relation
from orchestration.warehouse.connection import connect

ORGANIZATIONS = 100
ROWS = 500  # of each organization in each relation
LOADS = 100_000  # in the load log: five years of about fifty relations a day
USERS = 50_000

_ORGANIZATIONS = """
    insert into insights.dim_organizations
    select changed.*
    from insights.dim_organizations as o
    cross join generate_series(1, %(organizations)s) as number
    cross join jsonb_populate_record(
        o, jsonb_build_object('organization_id', gen_random_uuid(), 'slug', 'many-' || number)
    ) as changed
    where o.slug = %(source)s
"""
_USERS = """
    insert into user_accounts (id, organization_id, email, display_name, status)
    select gen_random_uuid(), id, 'user-' || number, 'User ' || number, 'active'
    from organizations, generate_series(1, %(users)s) as number
    where slug = %(source)s
"""
# Only the yearly review was not loaded since the first day.
_LOADS = """
    insert into insights_ops.load_log (
        relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment
    )
    select relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment
    from insights_ops.load_log
    cross join generate_series(1, %(loads)s / (select count(*) from insights_ops.load_log)) as day
    where relation_name <> 'pattern_yearly'
    order by day, load_log_id
"""
_COPIES = """
    insert into {relation} ({columns})
    select {values}
    from (
        select *, count(*) over () as row_count from {relation}
        where organization_id = (select organization_id from insights.dim_organizations where slug = %(source)s)
        order by md5(concat({key}))
        limit %(rows)s
    ) as found
    inner join insights.dim_organizations as o on o.slug like 'many-%%'
    cross join generate_series(0, greatest(%(rows)s / found.row_count, 1) - 1) as number
"""
_COLUMNS = """
    select attname, format_type(atttypid, atttypmod) from pg_attribute
    where attrelid = %s::regclass and attnum > 0 and not attisdropped
"""
# A uuid is hashed with organization and number of the copy, so that copied rows still refer to each other.
_UUID = "case when {column} is not null then md5(concat({column}, o.organization_id, number))::uuid end"
_UUIDS = "(select array_agg(md5(concat(one, o.organization_id, number))::uuid) from unnest({column}) as one)"
_VALUES = {
    "organization_id": "o.organization_id",
    "id": "hashtextextended(concat(found.id, o.organization_id, number), 0)",
    "review_date": "found.review_date - make_interval(years => number::integer)",
}


def fill(warehouse: Warehouse, source: str, relations: Iterable[Relation]) -> None:
    """Add ORGANIZATIONS `many-N`, each with about ROWS rows in each relation, and what grows with time and users.

    The rows are those of the organization `source`, chosen by their key; one with fewer rows is copied several times.
    Statistics are collected, as autovacuum does.
    """
    numbers = {"source": source, "organizations": ORGANIZATIONS, "rows": ROWS, "loads": LOADS, "users": USERS}
    views = []
    with connect(warehouse.admin_url) as connection:
        for statement in (_ORGANIZATIONS, _USERS, _LOADS):
            connection.execute(statement, numbers)
        for relation in relations:
            if relation.materialized == "materialized_view":
                views.append(sql.Identifier(relation.schema, relation.identifier))
            else:
                connection.execute(_copies(connection, relation), numbers)
        for view in views:
            connection.execute(sql.SQL("refresh materialized view {}").format(view))
    with connect(warehouse.admin_url, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def _copies(connection: psycopg.Connection[Any], relation: Relation) -> sql.Composed:
    columns = connection.execute(_COLUMNS, [f"{relation.schema}.{relation.identifier}"]).fetchall()
    return sql.SQL(_COPIES).format(
        relation=sql.Identifier(relation.schema, relation.identifier),
        columns=sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
        values=sql.SQL(", ").join(_value(name, kind) for name, kind in columns),
        key=sql.SQL(", ").join(sql.Identifier(name) for name in relation.key if name != "organization_id"),
    )


def _value(name: str, kind: str) -> sql.Composable:
    text = _VALUES.get(name) or {"uuid": _UUID, "uuid[]": _UUIDS}.get(kind, "{column}")
    return sql.SQL(text).format(column=sql.Identifier("found", name))
