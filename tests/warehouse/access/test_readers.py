"""Logins of single organizations see exactly the rows of theirs, in every mart, view and report, after every load."""

# ruff: noqa: S608 -- every statement is made of literals of the tests and names of the catalog

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from support.readers import add_reader, largest_organizations, reader_marts, reader_of, remove_reader, rows_of, seen_by
from support.warehouse import NO_TESTS, Warehouse, connect_as

from orchestration.config.files import Settings
from orchestration.warehouse.access.row_security import restrict
from orchestration.warehouse.database import Database
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

ALL_BUT_VIEWS_OF_THE_SOURCE = ("--exclude", "path:models/staging", *NO_TESTS)
SECRETS = ["public", "insights_staging", "insights_ops", "insights_snapshots", "insights_personal"]


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Iterator[Warehouse]:
    """Yield a copy of the built sample with the readers of two organizations, whose roles are removed at the end."""
    warehouse = Warehouse.copy_of(built_sample, "readers", postgres, settings)
    for _, slug in largest_organizations(warehouse):
        add_reader(warehouse, slug)
    yield warehouse
    for (id_,) in warehouse.rows("select organization_id::text from insights_ops.readers"):
        remove_reader(warehouse, id_)


def test_two_readers_see_exactly_their_rows_of_every_mart_after_every_load(warehouse: Warehouse) -> None:
    organizations = largest_organizations(warehouse)
    assert len(organizations) == 2

    def check(what: str) -> None:
        seen = {id_: seen_by(warehouse, reader_of(warehouse, id_)) for id_, _ in organizations}
        assert seen == {id_: rows_of(warehouse, id_) for id_, _ in organizations}, what
        for mart in ("fact_tasks", "report_profile_scores", "report_monthly_trends"):
            total = warehouse.value(f"select count(*) from insights.{mart}")
            assert min(counts[mart] for counts in seen.values()) > 0
            assert sum(counts[mart] for counts in seen.values()) < total, what

    check("after the first build")
    assert warehouse.build(*ALL_BUT_VIEWS_OF_THE_SOURCE).succeeded
    check("after a second build")
    done = warehouse.build("--full-refresh", *ALL_BUT_VIEWS_OF_THE_SOURCE, rebuild=True)
    assert done.succeeded, done.output[-2000:]
    check("after a rebuild")
    # A relation that a later load makes from nothing.
    warehouse.execute(
        "drop table insights.report_task_volume; drop materialized view insights.report_profile_scores cascade"
    )
    assert warehouse.build("--select", "report_task_volume", "report_profile_scores", command="run").succeeded
    check("after relations were made again")


def test_every_mart_with_organizations_is_restricted_and_the_others_are_shared(warehouse: Warehouse) -> None:
    marts = reader_marts()
    restricted = {
        name
        for (name,) in warehouse.rows(
            "select c.relname::text from pg_class as c inner join pg_policy as p on c.oid = p.polrelid"
            " where c.relnamespace = 'insights'::regnamespace and c.relrowsecurity and not p.polpermissive"
            " and p.polcmd = '*' and p.polroles = array['orgo_insights_ro_readers'::regrole::oid]"
            " and pg_get_expr(p.polqual, p.polrelid) ~ 'organization_id = ANY \\(ARRAY\\( SELECT'"
        )
    }
    views = {name.removeprefix("reader_") for _, _, name in marts.values() if name.startswith("reader_")}
    assert views == {"report_profile_scores"}
    assert restricted == {mart for mart, (has_organization, _, _) in marts.items() if has_organization} - views
    assert {mart for mart, (has_organization, _, _) in marts.items() if not has_organization} == {
        mart for mart, (_, shared, _) in marts.items() if shared == "all"
    }
    assert {mart for mart, (_, shared, _) in marts.items() if shared == "defaults"} == {"dim_labels", "dim_roles"}
    # The check of a relation that was written without its hook fails.
    warehouse.execute("alter table insights.fact_tasks disable row level security")
    role = reader_of(warehouse, largest_organizations(warehouse)[0][0])
    assert seen_by(warehouse, role)["fact_tasks"] == warehouse.value("select count(*) from insights.fact_tasks")
    assert warehouse.value("select insights_ops.restrict_rows('insights.fact_tasks', null)") is True
    assert seen_by(warehouse, role)["fact_tasks"] < warehouse.value("select count(*) from insights.fact_tasks")


def _allowed(session: psycopg.Connection, statements: list[str]) -> list[str]:
    """Return the statements that succeed."""
    allowed = []
    for statement in statements:
        try:
            with session.transaction(force_rollback=True):
                session.execute("set transaction read write")
                session.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            continue
        allowed.append(statement)
    return allowed


def test_a_reader_sees_nothing_else_and_cannot_become_more(warehouse: Warehouse) -> None:
    (own, _), (other, _) = largest_organizations(warehouse)
    role, stranger = reader_of(warehouse, own), reader_of(warehouse, other)
    hidden = warehouse.rows(
        "select format('%%I.%%I', relnamespace::regnamespace, relname) from pg_class"
        " where relkind in ('r', 'v', 'm', 'p') and relnamespace::regnamespace::text = any(%s)",
        SECRETS,
    )
    statements = [f"select count(*) from {relation}" for (relation,) in hidden]
    assert len(statements) > 40
    statements += [f"set role {name}" for name in (stranger, "orgo_insights_ro", "orgo_insights_etl", "postgres")]
    statements += [
        "select full_name from insights_personal.personal_persons",
        "select * from insights.report_profile_scores",
    ]
    statements += ["set session authorization orgo_insights_ro", "alter role current_user bypassrls"]
    statements += ["set row_security = off; select organization_id from insights.fact_tasks"]
    statements += [
        f"update insights_ops.readers set organization_id = '{other}'",
        "drop policy insights_readers on insights.fact_tasks",
    ]
    statements += ["delete from insights.fact_tasks", "select insights_ops.restrict_rows('insights.dim_dates', 'all')"]
    statements += ["alter table insights.fact_tasks disable row level security", "create table insights.mine (a int)"]
    warehouse.execute("analyze")
    with connect_as(warehouse.postgres.url(warehouse.name, role)) as session:
        assert _allowed(session, statements) == []
        stats = (
            "select count(*) from pg_stats where schemaname = 'insights' and (tablename ~ '^(fact|dim_p|dim_c|report)')"
        )
        assert session.execute(stats).fetchone() == (0,)
        session.execute("set role orgo_insights_ro_readers")
        assert session.execute("select count(*) from insights.fact_tasks").fetchone() == (0,)
    assert (
        warehouse.value("select count(*) from pg_stats where schemaname = 'insights' and tablename = 'fact_tasks'") > 0
    )


def test_a_function_of_a_query_sees_no_row_of_another_organization(warehouse: Warehouse) -> None:
    # Conditions of a query that could report a row are evaluated after the policy, in tables and in the view.
    warehouse.execute(
        "create schema if not exists lent; grant usage, create on schema lent to orgo_insights_ro_readers;"
        "create table if not exists lent.leaks (organization_id uuid); grant insert, select on lent.leaks to public;"
        "create or replace function lent.leak(o uuid) returns boolean language plpgsql cost 0.0000001 as"
        " 'begin insert into lent.leaks values (o); return true; end'"
    )
    own = largest_organizations(warehouse)[0][0]
    with connect_as(warehouse.postgres.url(warehouse.name, reader_of(warehouse, own))) as session:
        session.execute("set default_transaction_read_only = off")
        for relation in ("fact_tasks", "reader_report_profile_scores"):
            session.execute(f"select count(*) from insights.{relation} where lent.leak(organization_id)")
    assert warehouse.rows("select distinct organization_id::text from lent.leaks") == [(own,)]


def test_everybody_else_sees_what_the_grants_allow(warehouse: Warehouse) -> None:
    warehouse.execute("grant usage on schema insights to pg_monitor; grant select on insights.fact_tasks to pg_monitor")
    count = warehouse.value("select count(*) from insights.fact_tasks")
    for url in (warehouse.reader_url, warehouse.etl_url):
        with connect_as(url) as session:
            assert session.execute("select count(organization_id) from insights.fact_tasks").fetchone() == (count,)
    with connect_as(warehouse.admin_url) as session:
        session.execute("set role pg_monitor")
        assert session.execute("select count(*) from insights.fact_tasks").fetchone() == (count,)


def test_a_load_that_changes_nothing_takes_no_lock_and_writes_no_catalog(warehouse: Warehouse) -> None:
    version = "select xmin::text from pg_class where oid = 'insights.report_task_volume'::regclass"
    with connect_as(warehouse.etl_url) as session, connect_as(warehouse.reader_url) as reader, reader.transaction():
        reader.execute("select count(organization_id) from insights.report_task_volume")
        before = warehouse.value(version)
        query = "select insights_ops.restrict_rows('insights.report_task_volume', null)"
        assert session.execute(query).fetchone() == (True,)
        assert warehouse.value(version) == before


def test_a_mart_of_no_organization_is_for_no_reader_and_nobody_holds_it(warehouse: Warehouse) -> None:
    """`insights init` goes on: waiting for sessions would not help."""
    granted = "select has_any_column_privilege('orgo_insights_ro_readers', 'insights.dim_dates', 'select')"
    with connect_as(warehouse.etl_url) as session:
        db = Database(warehouse.settings, session)
        restrict(db, {"dim_dates": None})
        assert db.value("select insights_ops.restrict_rows('insights.dim_dates', null)") is None
        assert db.value(granted) is False
        restrict(db, {"dim_dates": "all"})
        assert db.value(granted) is True


def test_a_table_that_a_session_holds_is_given_to_nobody_and_the_load_goes_on(built: Warehouse) -> None:
    built.execute(
        "drop policy insights_readers on insights.fact_cases;alter table insights.fact_cases disable row level security"
    )
    granted = "select has_column_privilege('orgo_insights_ro_readers', 'insights.fact_cases', 'case_id', 'select')"
    with connect_as(built.reader_url) as reader, reader.transaction():
        reader.execute("select count(organization_id) from insights.fact_cases")
        assert built.build("--select", "fact_cases", command="run").succeeded
    assert built.value(granted) is False
    assert built.build("--select", "fact_cases", command="run").succeeded
    assert built.value(granted) is True
