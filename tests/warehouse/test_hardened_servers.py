"""Servers on which everything that PUBLIC has by default was revoked."""

# ruff: noqa: S608 -- the statement has only the name of a database of the test

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.contents import contents
from support.warehouse import Warehouse, connect_as

from orchestration.config.files import Settings
from orchestration.errors import RefusedError
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.sample.load import load_sample
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

HARDEN = """
    revoke all on database {name} from public;
    revoke all on schema public from public;
    alter default privileges revoke all on functions from public;
    alter default privileges revoke all on types from public;
    alter default privileges revoke all on schemas from public;
    alter default privileges revoke all on tables from public;
"""
LEAVE = """
    reassign owned by half_owner to current_user;
    drop owned by half_owner cascade;
    drop role half_owner
"""


@pytest.fixture
def half_owner(hardened: Warehouse, prepared: Warehouse) -> Iterator[str]:
    """Return a role that owns the tables but not the database; it exists only for one test.

    The roles of Insights exist already, as `prepared` has them.
    """
    name = hardened.name
    try:
        with connect_as(hardened.admin_url) as connection:
            connection.execute(
                f"""
                create role half_owner login createrole;
                grant connect, create on database {name} to half_owner;
                alter schema public owner to half_owner;
                do $$
                declare one record;
                begin
                    for one in select oid::regclass as name from pg_class
                        where relnamespace = 'public'::regnamespace and relkind = 'r'
                    loop
                        execute format('alter table %s owner to half_owner', one.name);
                    end loop;
                end
                $$;
                """
            )
        yield "half_owner"
    finally:
        hardened.execute(LEAVE)


@pytest.fixture
def hardened(database: str, postgres: LocalPostgres, settings: Settings) -> Warehouse:
    """Return a hardened database with the sample, without Insights."""
    warehouse = Warehouse(database.split("@/")[1].split("?", maxsplit=1)[0], postgres, settings)
    warehouse.execute(HARDEN.format(name=warehouse.name))
    with connect(warehouse.admin_url) as connection:
        load_sample(connection)
    warehouse.execute("revoke all on all functions in schema public from public")
    return warehouse


def test_two_builds_run_on_a_hardened_server(hardened: Warehouse, built: Warehouse) -> None:
    with connect(hardened.admin_url) as connection:
        initialize(connection, hardened.settings)
    first = hardened.build("--exclude-resource-type", "test", "unit_test")
    assert first.succeeded, first.output[-3000:]
    # Only a load into relations that exist makes temporary tables.
    second = hardened.build("--select", "fact_tasks", "dim_tasks", "stg_tasks", "--exclude-resource-type", "test")
    assert second.succeeded, second.output[-3000:]
    assert contents(hardened, "insights.fact_tasks") == contents(built, "insights.fact_tasks") != {}
    with connect(hardened.reader_url) as reader:
        row = reader.execute("select count(*) from insights.fact_tasks").fetchone()
    assert row == (built.value("select count(*) from insights.fact_tasks"),)


def test_init_lists_what_it_may_not_grant(hardened: Warehouse, half_owner: str) -> None:
    """A role that owns the tables but not the database may create schemas, not grant TEMPORARY."""
    name = hardened.name
    with (
        connect(hardened.postgres.url(name, half_owner)) as connection,
        pytest.raises(RefusedError, match="The roles lack privileges") as refused,
    ):
        initialize(connection, hardened.settings)
    statements = str(refused.value).partition("insights init again: ")[2]
    assert statements == (
        f'grant connect on database "{name}" to "orgo_insights_etl";'
        f' grant temporary on database "{name}" to "orgo_insights_etl";'
        f' grant connect on database "{name}" to "orgo_insights_ro";'
        f' grant connect on database "{name}" to "orgo_insights_export";'
        f' grant temporary on database "{name}" to "orgo_insights_export";'
    )
    hardened.execute(statements)
    with connect(hardened.postgres.url(name, half_owner)) as connection:
        initialize(connection, hardened.settings)
