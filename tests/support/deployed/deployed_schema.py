"""A database as Orgo's own migrations make it: the operational tables, and empty tables under the marts' names."""

from __future__ import annotations

import psycopg
from support.deployed.operational_tables import OPERATIONAL_TABLES
from support.deployed.star_schema import STAR_SCHEMA

# Foreign keys of the contract's schema do as those of deployed databases: a deleted row takes along what cannot be
# without it, and leaves NULL elsewhere.
_KEYS = """
do $$
declare
    key record;
begin
    for key in
        select
            c.conname,
            c.conrelid::regclass as relation,
            pg_get_constraintdef(c.oid) as definition,
            a.attnotnull
        from pg_constraint as c
        inner join pg_attribute as a on c.conrelid = a.attrelid and a.attnum = c.conkey[1]
        where c.contype = 'f' and c.connamespace = 'public'::regnamespace
    loop
        execute format('alter table %s drop constraint %I', key.relation, key.conname);
        execute format(
            'alter table %s add constraint %I %s on delete %s',
            key.relation, key.conname, key.definition, case when key.attnotnull then 'cascade' else 'set null' end
        );
    end loop;
end
$$
"""


def create_deployed_schema(connection: psycopg.Connection) -> None:
    """Create what Orgo's migrations create, in an empty database."""
    connection.execute(OPERATIONAL_TABLES, prepare=False)
    connection.execute(STAR_SCHEMA, prepare=False)


def delete_like_deployed(connection: psycopg.Connection) -> None:
    """Give the foreign keys of the contract's schema the ON DELETE rules of deployed databases."""
    connection.execute(_KEYS)
