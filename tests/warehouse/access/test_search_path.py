"""Functions, operators and casts that another role has planted: no session of Insights calls them (D150)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from click.testing import CliRunner
from support.contents import incremental, rebuilt, reports, reviews
from support.hostile.planted import CASTS, TRAPS
from support.plain_dbt import libpq_variables, plain_dbt
from support.small_scenario import NEXT_DAY
from support.source.fewer_rows import fewer_rows
from support.warehouse import NO_TESTS, Warehouse, connect_as

from orchestration.cli import commands
from orchestration.errors import ConflictError
from orchestration.retention.plan import load_plan
from orchestration.retention.purge import purge
from orchestration.service import Asked, Reader
from orchestration.warehouse.connection import child_environment, connect, connection_variables
from orchestration.warehouse.database import Database
from orchestration.warehouse.init import initialize
from workshop.operational import create_operational_schema
from workshop.sample.load import SAMPLE_AS_OF

pytestmark = pytest.mark.services


@pytest.fixture
def trapped(prepared: Warehouse) -> Iterator[Warehouse]:
    """Yield a prepared database in whose `public` an ordinary role has planted functions and operators."""
    prepared.execute(fewer_rows(4))
    prepared.execute("create role planter login; grant create, usage on schema public to planter")
    # The source has enums, and columns of other types of its owner.
    prepared.execute(
        "create type public.place as (site text, room text); create type public.span as range (subtype = integer);"
        "alter table tasks add column subtype place; update tasks set subtype = row(label, null);"
        "alter table cases alter column reactivity_time type span using null"
    )
    for (name,) in prepared.rows(
        "select t.oid::regtype::text from pg_type as t where t.typnamespace = 'public'::regnamespace"
        " and t.typtype in ('e', 'c', 'r') and (t.typrelid = 0 or t.typname = 'place')"
    ):
        prepared.execute(f"alter type {name} owner to planter")
    with connect_as(prepared.postgres.url(prepared.name, "planter")) as planter:
        planter.execute(TRAPS)
        planter.execute(CASTS)
        planted = planter.execute("select count(*) from pg_proc where proowner = 'planter'::regrole").fetchone()
    assert planted is not None
    assert planted[0] > 50
    yield prepared
    prepared.execute("drop owned by planter cascade; drop role planter")


@pytest.fixture
def logins(trapped: Warehouse) -> Iterator[dict[str, str]]:
    """Yield addresses of logins whose role sets no search path: members of the two roles, and a superuser."""
    warehouse = trapped.settings.insights.warehouse
    trapped.execute(
        f"create role loading_member login in role {warehouse.write_user};"
        f"create role reading_member login in role {warehouse.read_only_user}"
    )
    yield {name: trapped.postgres.url(trapped.name, name) for name in ("loading_member", "reading_member", "postgres")}
    trapped.execute("drop owned by loading_member, reading_member; drop role loading_member, reading_member")


def test_the_traps_catch_who_does_not_pin_the_search_path(logins: dict[str, str]) -> None:
    for url in logins.values():
        with connect_as(url) as login, pytest.raises(psycopg.Error, match="TRAP obj_description, called by"):
            login.execute("select obj_description('pg_class'::regclass, 'pg_class')")


def test_no_session_calls_what_others_have_planted(
    trapped: Warehouse, logins: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_ADMIN_URL", trapped.admin_url)
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", trapped.etl_url)
    prepared = CliRunner().invoke(commands, ["init"])
    assert prepared.exit_code == 0, prepared.output
    for as_of, excluded in ((SAMPLE_AS_OF, ()), (NEXT_DAY, NO_TESTS)):
        load = trapped.build(*excluded, as_of=as_of)
        assert load.succeeded, load.output
        # A trap is sprung only where a row reaches it. Of the next day, no task is at risk.
        for relation in (*incremental(), *rebuilt(), *reports(), *reviews(), "insights_ops.review_requests"):
            is_filled = trapped.value(f"select exists (select from {relation})")  # noqa: S608
            assert is_filled or (as_of, relation) == (NEXT_DAY, "insights.report_tasks_at_risk"), relation
    with connect(trapped.etl_url, autocommit=True) as connection:
        purge(Database(trapped.settings, connection), load_plan(trapped.settings), SAMPLE_AS_OF)
    for arguments in (["status"], ["patterns", "list"], ["reviews", "list"]):
        done = CliRunner().invoke(commands, arguments)
        assert done.exit_code == 0, done.output
    for url in (trapped.reader_url, logins["reading_member"]):
        with closing(Reader.open(trapped.settings, url)) as reader:
            for name in reader.dashboards:
                reader.ask(Asked(name, "sample-hospital", ["PUBLIC", "INTERNAL"]), ["nurse"])
    for login in ("loading_member", "postgres"):
        monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", logins[login])
        done = CliRunner().invoke(commands, ["status"])
        assert done.exit_code == 0, done.output
        run = plain_dbt(
            libpq_variables(trapped.postgres, trapped.name, login), "run", "--select", "tokens", "stg_roles"
        )
        assert run.succeeded, run.output


def test_options_of_the_caller_keep_the_search_path(trapped: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    # dbt's profile leaves the path to PGOPTIONS, if there are any; what starts dbt and `insights env` adds it to them.
    url = f"{trapped.admin_url}{'&' if '?' in trapped.admin_url else '?'}options=-c%20statement_timeout%3D10min"
    given = connection_variables(url)
    assert given["PGOPTIONS"] == "-c statement_timeout=10min -c search_path=pg_catalog,pg_temp"
    monkeypatch.setenv("PGOPTIONS", "-c jit=off")
    assert child_environment(None, {})["PGOPTIONS"] == "-c jit=off -c search_path=pg_catalog,pg_temp"
    assert child_environment(url, {})["PGOPTIONS"] == given["PGOPTIONS"]
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect("") as connection:
        assert connection.execute("show search_path").fetchone() == ("pg_catalog,pg_temp",)


def test_init_names_a_schema_in_which_everybody_may_create(
    prepared: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_ADMIN_URL", prepared.admin_url)
    sentence = "revoke create on schema public from public;"
    assert sentence not in CliRunner().invoke(commands, ["init"]).output
    prepared.execute("grant create on schema public to public")
    assert sentence in CliRunner().invoke(commands, ["init"]).output


# Somebody makes first what init would make, with a trigger that runs with the rights of who writes the first row.
PLANTED_TABLE = """
    create function insights_ops.become_superuser() returns trigger language plpgsql as
    $f$ begin execute format('alter role %I superuser', tg_argv[0]); return new; end $f$;
    create table insights_ops.{table} ({columns});
    create trigger planted before insert or update or delete on insights_ops.{table}
    for each statement execute function insights_ops.become_superuser({role});
    grant all on insights_ops.{table} to public
"""


def refused(warehouse: Warehouse, user: str = "postgres") -> str:
    """Return the words with which `insights init` refuses a database, as this user."""
    url = warehouse.postgres.url(warehouse.name, user)
    with connect(url) as connection, pytest.raises(ConflictError) as error:
        initialize(connection, warehouse.settings)
    return str(error.value)


def test_init_refuses_a_schema_that_somebody_made_before_it(database: str, prepared: Warehouse) -> None:
    new = replace(prepared, name=database.split("@/")[1].split("?", maxsplit=1)[0])
    with connect(new.admin_url) as connection:
        create_operational_schema(connection)
    new.execute(f'create role planter login; grant create on database "{new.name}" to planter')
    try:
        with connect_as(new.postgres.url(new.name, "planter")) as planter:
            planter.execute("create schema insights_ops")
            columns = "profile_code text primary key, default_visibility text, reactivity_seconds integer,"
            columns += " max_escalation_seconds integer, document jsonb, updated_at timestamptz"
            planter.execute(PLANTED_TABLE.format(table="profiles", columns=columns, role="planter"))
        said = refused(new)
        assert "the schema insights_ops (planter), the table insights_ops.profiles (planter)" in said
        assert new.value("select rolsuper from pg_roles where rolname = 'planter'") is False
    finally:
        new.execute("drop owned by planter cascade; drop role planter")


@pytest.mark.parametrize("user", ["postgres", "preparing"])
def test_an_upgrade_refuses_what_the_role_that_loads_made_before_it(prepared: Warehouse, user: str) -> None:
    # An older release had no such table or function; the role that loads may create in this schema.
    prepared.execute(
        "drop table insights_ops.cache_key; drop function insights_ops.own_exports(uuid, text, text, integer);"
        "create role preparing login createrole; grant orgo_insights_etl to preparing"
    )
    try:
        with connect_as(prepared.etl_url) as etl:
            columns = "is_only boolean primary key default true, key bytea, made_at timestamptz"
            etl.execute(PLANTED_TABLE.format(table="cache_key", columns=columns, role="orgo_insights_etl"))
            etl.execute("create function insights_ops.own_exports() returns integer language sql as 'select 1'")
        said = refused(prepared, user)
        assert "the function insights_ops.own_exports() (orgo_insights_etl)" in said
        assert "the table insights_ops.cache_key (orgo_insights_etl)" in said
        assert prepared.value("select rolsuper from pg_roles where rolname = 'orgo_insights_etl'") is False
    finally:
        prepared.execute("drop role preparing")
