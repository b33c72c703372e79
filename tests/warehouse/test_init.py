"""`insights init`: what it makes, what it refuses and how it says so; and a plain dbt without it."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support import in_process
from support.contents import contents, incremental, rebuilt, reports, reviews, row_of
from support.plain_dbt import libpq_variables, plain_dbt
from support.policy import manifest, nodes
from support.upgrades.dumps import dump
from support.warehouse import NO_TESTS, Warehouse, disposable_copy

from orchestration.config.files import Settings
from orchestration.errors import InsightsError, MisconfiguredError
from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import mart_names
from orchestration.warehouse.init import InitReport, initialize
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services


def _init(warehouse: Warehouse, url: str | None = None, *, move_aside: bool = False) -> InitReport:
    with connect(url or warehouse.admin_url) as connection:
        return initialize(connection, warehouse.settings, move_aside=move_aside)


def _relations(warehouse: Warehouse, *schemas: str) -> list[str]:
    rows = warehouse.rows(
        "select oid::regclass::text from pg_class where relkind in ('r', 'p', 'v', 'm')"
        " and relnamespace::regnamespace::text = any(%s) order by 1",
        list(schemas),
    )
    return [name for (name,) in rows]


ADMIN_OPTION_SINCE = 160000  # the version of PostgreSQL in which CREATEROLE alone no longer alters others' roles
BUILT_SCHEMAS = ("insights", "insights_staging", "insights_snapshots", "insights_personal")


def test_a_second_init_changes_nothing(operational: Warehouse, built: Warehouse) -> None:
    first = _init(operational)
    assert first.profiles_changed == len(operational.settings.profiles) == 8
    assert (first.missing_columns, first.moved_aside) == ([], {})
    for warehouse in (operational, built):
        before = dump(warehouse)
        second = _init(warehouse)
        assert (second.roles_created, second.moved_aside, second.profiles_changed) == ([], {}, 0)
        assert dump(warehouse) == before


@pytest.fixture
def ordinary_user(postgres: LocalPostgres) -> Iterator[str]:
    """Yield a role that may only connect."""
    with connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("create role ordinary_user login")
        yield "ordinary_user"
        for (name,) in connection.execute("select datname from pg_database where datallowconn").fetchall():
            with connect(postgres.url(name, "postgres")) as there:
                there.execute("reassign owned by ordinary_user to postgres; drop owned by ordinary_user")
        connection.execute("drop role ordinary_user")


def test_an_ordinary_user_is_refused_with_the_role_that_may_prepare_the_database(
    operational: Warehouse, ordinary_user: str
) -> None:
    with pytest.raises(
        InsightsError, match=r"This user may not prepare the database: .*Run insights init as a superuser"
    ):
        _init(operational, operational.postgres.url(operational.name, ordinary_user))
    assert operational.rows("select 1 from pg_namespace where nspname like 'insights%%'") == []


def test_an_owner_with_createrole_may(operational: Warehouse, ordinary_user: str) -> None:
    operational.execute(
        f"alter role ordinary_user createrole; alter database {operational.name} owner to ordinary_user;"
        "do $$ declare t regclass; begin for t in select oid from pg_class where relkind = 'r'"
        " and relnamespace = 'public'::regnamespace"
        " loop execute format('alter table %s owner to ordinary_user', t); end loop; end $$"
    )
    if operational.value("select current_setting('server_version_num')::int") >= ADMIN_OPTION_SINCE:
        # Other tests, as a superuser, may have made the roles.
        for (role,) in operational.rows("select rolname from pg_roles where rolname like 'orgo\\_insights\\_%%'"):
            operational.execute(f"grant {role} to ordinary_user with admin option")
    _init(operational, operational.postgres.url(operational.name, ordinary_user))
    assert operational.build("--select", "+dim_roles", *NO_TESTS).succeeded
    # Again, over relations that are the ETL role's by now.
    _init(operational, operational.postgres.url(operational.name, ordinary_user))


def test_a_database_that_is_not_orgos_is_refused(
    operational: Warehouse, database: str, settings: Settings, postgres: LocalPostgres
) -> None:
    operational.execute("drop table learning_group_memberships; drop table task_comments")
    with pytest.raises(
        InsightsError, match="schema public lacks operational tables: task_comments, learning_group_memb"
    ):
        _init(operational)
    postgres.create_database("empty")
    empty = Warehouse("empty", postgres, settings)
    with pytest.raises(
        InsightsError, match=r"lacks .*organizations, .*Is this Orgo's database, and is insights\.source"
    ):
        _init(empty)


def test_a_column_that_nothing_can_stand_in_for_is_named_and_a_nullable_one_reported(operational: Warehouse) -> None:
    operational.execute("alter table tasks drop column subtype; alter table cases drop column location")
    assert _init(operational).missing_columns == ["tasks.subtype", "cases.location"]
    operational.execute("alter table tasks drop column status; alter table roles drop column code")
    with pytest.raises(InsightsError, match=r"columns without a substitute are missing: roles\.code, tasks\.status\."):
        _init(operational)


class OldServerInfo(psycopg.ConnectionInfo):
    """What a connection knows of its server, which says that it is PostgreSQL 14."""

    @property
    def server_version(self) -> int:
        return 140_011


class OldServer(psycopg.Connection[Any]):
    """A connection that says it leads to PostgreSQL 14."""

    @property
    def info(self) -> OldServerInfo:
        return OldServerInfo(self.pgconn)


def test_an_older_server_is_refused(operational: Warehouse) -> None:
    refused = pytest.raises(InsightsError, match=r"The server is PostgreSQL 14; 15 or later is needed\.")
    with OldServer.connect(operational.admin_url) as connection, refused:
        initialize(connection, operational.settings)


@pytest.mark.parametrize("name", ["orgo's", 'orgo "new"'])
def test_a_name_that_dbt_cannot_read_is_refused(
    postgres: LocalPostgres, settings: Settings, prepared_sample: str, name: str
) -> None:
    with (
        disposable_copy(prepared_sample, name, postgres, settings) as warehouse,
        connect(warehouse.admin_url) as connection,
        pytest.raises(MisconfiguredError, match=f"The name of the database {name} contains a quotation mark"),
    ):
        initialize(connection, settings)


# What Orgo's own migrations would make: other columns, a sequence, an index, a view that depends on a table.
FOREIGN = """
create schema if not exists insights;
create table insights.fact_tasks (id bigserial primary key, note text);
create index fact_tasks_note on insights.fact_tasks (note);
insert into insights.fact_tasks (note) values ('a'), ('b');
create table insights.dim_dates (id int primary key, fact_id bigint references insights.fact_tasks (id));
insert into insights.dim_dates values (1, 1);
create view insights.dim_roles as select count(*) as notes from insights.fact_tasks;
create or replace view public.depends as select note from insights.fact_tasks;
create table if not exists insights.of_somebody_else (a int);
"""
REFUSAL = (
    "holds relations of the same names that this project did not build: dim_dates, dim_roles, fact_tasks. Move them"
)


def test_foreign_relations_are_moved_aside_with_every_row_any_number_of_times(operational: Warehouse) -> None:
    operational.execute(FOREIGN)
    with pytest.raises(InsightsError, match=REFUSAL):
        _init(operational)
    assert operational.value("select to_regclass('insights_ops.load_log')") is None

    names = ["dim_dates", "dim_roles", "fact_tasks"]
    assert _init(operational, move_aside=True).moved_aside == {f"insights.{n}": f"insights_aside.{n}" for n in names}
    assert _relations(operational, "insights") == ["insights.of_somebody_else"]
    assert operational.rows("select note from depends order by 1") == [("a",), ("b",)]

    operational.execute("drop view public.depends;" + FOREIGN + "insert into insights.fact_tasks (note) values ('c')")
    for number in (2, 3):
        moved = _init(operational, move_aside=True).moved_aside
        assert moved == {f"insights.{n}": f"insights_aside_{number}.{n}" for n in names}
        assert operational.rows(f"select notes from insights_aside_{number}.dim_roles") == [(3,)]
        operational.execute(
            "drop view public.depends;" + FOREIGN + "insert into insights.fact_tasks (note) values ('c')"
        )
    assert operational.rows("select note from insights_aside.fact_tasks order by 1") == [("a",), ("b",)]
    assert operational.rows("select note from insights_aside_2.fact_tasks order by 1") == [("a",), ("b",), ("c",)]
    assert operational.rows("insert into insights_aside_2.fact_tasks (note) values ('d') returning id") == [(4,)]


def test_plain_dbt_refuses_foreign_relations_before_anything_is_built(operational: Warehouse) -> None:
    _init(operational)
    operational.execute(FOREIGN)
    variables = libpq_variables(operational.postgres, operational.name, "orgo_insights_etl")
    succeeded, output = in_process.run_plain(variables, "build")
    assert not succeeded
    assert REFUSAL in output
    assert "insights init --move-aside" in output
    assert _relations(operational, "insights_staging", "insights_snapshots") == []
    assert operational.value("select count(*) from insights_ops.load_log") == 0


def test_an_unprepared_database_is_an_error_that_names_the_command(operational: Warehouse) -> None:
    variables = libpq_variables(operational.postgres, operational.name, "postgres")
    succeeded, output = in_process.run_plain(variables, "build")
    assert not succeeded
    assert "insights init" in output
    # The schemas alone, made by hand, are not enough either.
    operational.execute("".join(f"create schema {schema};" for schema in (*BUILT_SCHEMAS, "insights_ops")))
    succeeded, output = in_process.run_plain(variables, "build")
    assert not succeeded
    assert "This database is not prepared. Run first: insights init" in output
    assert _relations(operational, *BUILT_SCHEMAS, "insights_ops") == []
    with pytest.raises(InsightsError, match=r"This database is not prepared.*\. Run first: insights init"):
        Warehouse(operational.name, _AsSuperuser(operational.postgres), operational.settings).build()  # type: ignore[arg-type]


class _AsSuperuser:
    """The server, where every role is the superuser: before init there is no other."""

    def __init__(self, postgres: LocalPostgres) -> None:
        self._postgres = postgres

    def url(self, database: str, _user: str) -> str:
        return self._postgres.url(database, "postgres")


# A plain dbt runs all unit tests. What it would say of these is asked in the process of the tests, in a third of the
# time.
MOST_UNIT_TESTS = ("test_type:unit,path:models/intermediate", "test_type:unit,path:models/marts")


def test_plain_dbt_builds_the_same_rows_as_insights_build(prepared: Warehouse, built: Warehouse) -> None:
    variables = libpq_variables(prepared.postgres, prepared.name, "orgo_insights_etl")
    # A user whose time zone and date style differ from the warehouse's.
    variables |= {"PGTZ": "Pacific/Auckland", "PGDATESTYLE": "SQL, DMY"}
    day = ("--vars", "{as_of: 2026-01-01}")
    result = plain_dbt(variables, "build", "--exclude-resource-type", "test", *day, "--exclude", *MOST_UNIT_TESTS)
    assert result.succeeded, result.output[-2000:]
    variables["PGDATESTYLE"] = "ISO, DMY"  # what psycopg2 makes of it in a new session
    succeeded, output = in_process.run_plain(variables, "test", "--select", *MOST_UNIT_TESTS, *day)
    assert succeeded, output[-2000:]
    ran = [int(number) for number in re.findall(r"Finished running .*? (\d+) unit tests", result.output + output)]
    assert sum(ran) == len(manifest()["unit_tests"])
    relations = (*incremental(), *rebuilt(), *reviews())
    seeds = {f"{node['schema']}.{node['name']}" for node in nodes("seed")}
    stored = {name for name in (*relations, *reports(), *seeds) if name.startswith("insights.")}
    assert {f"insights.{name}" for name in mart_names()} == stored
    for relation in relations:
        by_plain_dbt = contents(prepared, relation, row_of(relation))
        assert by_plain_dbt == contents(built, relation, row_of(relation))
        assert by_plain_dbt


def test_init_lets_the_etl_role_replace_what_a_superuser_built(prepared: Warehouse) -> None:
    variables = libpq_variables(prepared.postgres, prepared.name, "postgres")
    succeeded, output = in_process.run_plain(variables, "run", "--select", "stg_roles")
    assert succeeded, output[-2000:]
    owners = (
        "select distinct proowner::regrole::text from pg_proc"
        " where pronamespace = 'insights_staging'::regnamespace and proname like 'read\\_%%'"
    )
    assert prepared.rows(owners) == [("postgres",)]
    refused = prepared.build("--select", "stg_roles", *NO_TESTS)
    assert "must be owner of function" in refused.output
    _init(prepared)
    assert prepared.rows(owners) == [("orgo_insights_etl",)]
    load = prepared.build("--select", "stg_roles", *NO_TESTS)
    assert load.succeeded, load.output
