"""Functions and operators that another role has put into `public`: no session of Insights calls them (D150)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from click.testing import CliRunner
from support.plain_dbt import libpq_variables, plain_dbt
from support.small_scenario import NEXT_DAY
from support.warehouse import Warehouse, connect_as

from orchestration.cli import commands
from orchestration.retention.plan import load_plan
from orchestration.retention.purge import purge
from orchestration.service import Asked, Reader
from orchestration.warehouse.connection import child_environment, connect, connection_variables
from orchestration.warehouse.database import Database
from workshop.sample.load import SAMPLE_AS_OF

pytestmark = pytest.mark.services

# For each function of PostgreSQL that takes a name, an object of the catalog or a date, one in `public` that takes what
# queries really pass, so that PostgreSQL prefers it wherever `public` is in the search path. Each tells who called it.
TRAPS = """
do $plant$
declare
    one record;
begin
    for one in
        select
            p.proname,
            array_to_string(array(
                select
                    case
                        when t in ('name'::regtype, 'date'::regtype, 'varchar'::regtype) then 'text'
                        else t::regtype::text
                    end
                from unnest(p.proargtypes::oid[]) with ordinality as a (t, n) order by n
            ), ', ') as arguments,
            p.prorettype::regtype::text as result
        from pg_proc as p
        where
            p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and not p.proretset
            and p.prorettype not in ('internal'::regtype, 'trigger'::regtype, 'cstring'::regtype)
            and p.proargtypes::oid[] && array['name', 'date', 'varchar']::regtype[]::oid[]
            and not p.proargtypes::oid[] && array['internal', 'cstring']::regtype[]::oid[]
    loop
        begin
            execute format(
                'create function public.%I(%s) returns %s language plpgsql as $f$ begin'
                ' raise exception ''TRAP %s, called by %%'', current_user; end $f$',
                one.proname, one.arguments, one.result, one.proname
            );
        exception when others then null;
        end;
    end loop;
end
$plant$;
create function public.trap(text, name) returns boolean language plpgsql as
$f$ begin raise exception 'TRAP =, called by %', current_user; end $f$;
create function public.trap(name, text) returns boolean language plpgsql as
$f$ begin raise exception 'TRAP =, called by %', current_user; end $f$;
create operator public.= (function = public.trap, leftarg = text, rightarg = name);
create operator public.= (function = public.trap, leftarg = name, rightarg = text);
"""


@pytest.fixture
def trapped(prepared: Warehouse) -> Iterator[Warehouse]:
    """Yield a prepared database in whose `public` an ordinary role has planted functions and operators."""
    prepared.execute("create role planter login; grant create, usage on schema public to planter")
    with connect_as(prepared.postgres.url(prepared.name, "planter")) as planter:
        planter.execute(TRAPS)
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
    for as_of, excluded in ((SAMPLE_AS_OF, ()), (NEXT_DAY, ("--exclude-resource-type", "test", "unit_test"))):
        load = trapped.build(*excluded, as_of=as_of)
        assert load.succeeded, load.output
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
