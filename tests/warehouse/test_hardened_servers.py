"""Hardened servers, and databases whose defaults were made for an application."""

# ruff: noqa: S608 -- the statement has only the name of a database of the test

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from support.contents import contents
from support.warehouse import NO_TESTS, Warehouse, connect_as

from orchestration.config.files import Settings
from orchestration.dbt import NO_UNIT_TESTS
from orchestration.errors import RefusedError
from orchestration.warehouse.connection import DATE_STYLE, connect, open_session
from orchestration.warehouse.init import initialize
from workshop.operational import create_operational_schema
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
# Each of them ends a load or bends its values where nothing overrides it.
DEFAULTS = {
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "statement_timeout": "20ms",
    "lock_timeout": "1ms",
    "idle_session_timeout": "50ms",
    "idle_in_transaction_session_timeout": "50ms",
    "timezone": "Pacific/Chatham",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
}
LATER = datetime(2026, 12, 1, 10, tzinfo=UTC)
MARTS = {
    "insights.dim_dates": "date_key",
    "insights.dim_tasks": "task_id",
    "insights.dim_cases": "case_id",
    "insights.fact_tasks": "task_id",
    "insights.fact_cases": "case_id",
    "insights.pattern_weekly": "pattern_id",
}
REVOKE_FUNCTIONS = "revoke all on all functions in schema public from public"
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
    """Return a hardened database with the contract's operational tables, empty and without Insights."""
    warehouse = Warehouse(database.split("@/")[1].split("?", maxsplit=1)[0], postgres, settings)
    warehouse.execute(HARDEN.format(name=warehouse.name))
    with connect(warehouse.admin_url) as connection:
        create_operational_schema(connection)
    warehouse.execute(REVOKE_FUNCTIONS)
    return warehouse


def _set_defaults(warehouse: Warehouse, *settings: str) -> None:
    with connect_as(warehouse.postgres.url("postgres", "postgres")) as connection:
        for setting in settings:
            connection.execute(f"alter database {warehouse.name} {setting}")


def test_two_builds_run_on_a_hardened_server_whose_defaults_change_nothing(
    hardened: Warehouse, built: Warehouse
) -> None:
    with connect(hardened.admin_url) as connection:
        load_sample(connection)
    hardened.execute(REVOKE_FUNCTIONS)
    _set_defaults(hardened, *(f"set {name} to '{value}'" for name, value in DEFAULTS.items()))
    # As a superuser, whose sessions have the defaults of the database too.
    with connect(hardened.admin_url) as connection:
        initialize(connection, hardened.settings)
    first = hardened.build(*NO_TESTS)
    assert first.succeeded, first.output[-3000:]
    # Only a load into relations that exist makes temporary tables.
    second = hardened.build("--select", "fact_tasks", "dim_tasks", "stg_tasks", *NO_TESTS)
    assert second.succeeded, second.output[-3000:]
    tested = hardened.build(*NO_UNIT_TESTS, command="test")
    assert tested.succeeded, tested.output[-3000:]
    # dbt is told the style of dates; other clients of the roles have that of their role.
    style = "select reset_val from pg_settings where name = 'DateStyle'"
    for url in (hardened.etl_url, hardened.reader_url):
        with connect_as(url) as connection:
            assert connection.execute(style).fetchone() == (DATE_STYLE,)
    with open_session(hardened.admin_url) as connection:
        assert connection.execute("select '2026-12-01 10:00Z'::timestamptz").fetchone() == (LATER,)
    _set_defaults(hardened, "reset all")
    for relation, key in MARTS.items():
        assert contents(hardened, relation, key) == contents(built, relation, key) != {}, relation
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
