"""What others built on the warehouse survives: views, grants, comments and publications of every kind of relation."""

# ruff: noqa: S608 -- every statement is made of names from the catalog

from __future__ import annotations

from typing import Any

import pytest
from support.small_scenario import NEXT_DAY
from support.warehouse import NO_TESTS, Warehouse, connect_as, disposable_copy

from orchestration.config.files import Settings
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

MARTS = """
    select relname, relkind::text
    from pg_class
    where relnamespace = 'insights'::regnamespace and relkind in ('r', 'm', 'v') order by relname
"""
# Everything that a load must leave alone, as text: relations with their kind, grants and comments, those of columns,
# the queries of views, and the tables of publications.
CATALOG = """
    select format('%s %s %s %s %s', c.oid, c.oid::regclass, c.relkind, c.relacl, obj_description(c.oid, 'pg_class'))
    from pg_class as c
    where c.relnamespace::regnamespace::text in ('insights', 'bi') and c.relkind in ('r', 'm', 'v')
    union all
    select format('%s.%s %s', attrelid::regclass, attname, array(select a::text from unnest(attacl) as a order by 1))
    from pg_attribute
    inner join pg_class as c on attrelid = c.oid
    where relnamespace = 'insights'::regnamespace and relkind in ('r', 'm', 'v') and attnum > 0 and not attisdropped
    union all
    select format('%s %s %s', schemaname, viewname, definition) from pg_views where schemaname = 'bi'
    union all
    select format('%s %s %s', schemaname, matviewname, definition) from pg_matviews where schemaname = 'bi'
    union all
    select format('%s %s', pubname, tablename) from pg_publication_tables
    order by 1
"""
# Tables as a release with other contracts has left them.
FORMER_RELEASE = """
    alter table insights.dim_organizations add column former text not null default 'x';
    alter table insights.dim_organizations alter column former drop default;
    alter table insights.dim_organizations add column other text not null default 'x';
    alter table insights.dim_roles drop column is_system_role;
    alter table insights.dim_labels alter column code type varchar(200), alter column code drop not null;
    do $$
    begin
        execute 'alter table insights.bridge_entity_labels drop constraint '
            || (select conname from pg_constraint where conrelid = 'insights.bridge_entity_labels'::regclass);
    end $$;
    create unique index on insights.bridge_entity_labels (entity_id, label_id, organization_id, first_applied_at);
    create index of_a_bi_tool on insights.dim_dates (year);
    alter table insights.dim_cases add column other text not null default 'x';
    create schema bi;
    create view bi.organizations as select slug, former from insights.dim_organizations;
    create view bi.roles as select count(*) from insights.dim_roles;
    create view bi.labels as select count(*) as label_count from insights.dim_labels;
    create view bi.cases as select case_id from insights.dim_cases;
    grant select on insights.dim_labels to pg_monitor
"""
CHANGED = ("dim_organizations", "dim_roles", "dim_labels", "bridge_entity_labels", "dim_dates", "dim_cases")
SHAPES = """
    select
        c.relname,
        c.oid,
        c.relacl::text,
        array(
            select concat_ws(' ', attname, atttypid::regtype, attnotnull)
            from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped order by attname
        ),
        array(
            select regexp_replace(pg_get_indexdef(indexrelid), ' INDEX .*? USING ', ' ')
            from pg_index where indrelid = c.oid order by 1
        )
    from pg_class as c
    where c.relnamespace = 'insights'::regnamespace and c.relname = any(%s)
    order by c.relname
"""


def _build_on(warehouse: Warehouse) -> list[str]:
    """Create a view, a materialized view, grants and a publication on every mart; returns the marts."""
    marts = warehouse.rows(MARTS)
    warehouse.execute("create schema bi; create role analyst; create publication tables_of_marts")
    for name, kind in marts:
        warehouse.execute(f"create view bi.v_{name} as select * from insights.{name}")
        warehouse.execute(f"create materialized view bi.m_{name} as select * from bi.v_{name}")
        warehouse.execute(f"grant select on insights.{name} to analyst with grant option")
        if kind == "r":
            warehouse.execute(f"alter publication tables_of_marts add table insights.{name}")
    return [name for name, _ in marts]


def _counts(warehouse: Warehouse, marts: list[str]) -> dict[str, Any]:
    counted = " union all ".join(f"select '{name}', count(*) from bi.v_{name}" for name in marts)
    return dict(warehouse.rows(counted))


def test_what_others_built_on_marts_survives_every_kind_of_load(built: Warehouse) -> None:
    marts = _build_on(built)
    before, counts = built.rows(CATALOG), _counts(built, marts)
    assert {"dim_dates", "fact_tasks", "report_task_volume", "report_monthly_trends", "tokens"} <= set(marts)
    try:
        for options, variables in (((), {"as_of": NEXT_DAY}), (("--full-refresh",), {"rebuild": True})):
            load = built.build(*options, *NO_TESTS, **variables)
            assert load.succeeded, load.output
            assert built.rows(CATALOG) == before
            assert _counts(built, marts).keys() == counts.keys()
        assert _counts(built, marts)["fact_tasks"] == built.value("select count(*) from insights.fact_tasks")
    finally:
        built.execute("drop schema bi cascade; drop owned by analyst; drop role analyst")


def test_tables_of_a_former_release_are_changed_in_place(built: Warehouse) -> None:
    built.execute("grant select on insights.dim_labels to pg_monitor")
    wanted = {name: shape for name, *shape in built.rows(SHAPES, list(CHANGED))}
    built.execute(FORMER_RELEASE)
    between = ("int_task_lifecycle", "int_case_lifecycle", "personal_cases")
    load = built.build("--full-refresh", "--select", *between, *CHANGED, *NO_TESTS, rebuild=True)
    assert load.succeeded, load.output
    found = {name: shape for name, *shape in built.rows(SHAPES, list(CHANGED))}
    # The column that a view reads stays, empty, and so does the index of others.
    wanted["dim_organizations"][2] = sorted([*wanted["dim_organizations"][2], "former text f"])
    found["dim_organizations"][2] = sorted(found["dim_organizations"][2])
    wanted["dim_dates"][3] = sorted([*wanted["dim_dates"][3], "CREATE btree (year)"])
    assert found == wanted
    assert built.rows("select distinct former from bi.organizations") == [(None,)]
    assert built.value("select label_count from bi.labels") > 0
    again = built.build("--select", *CHANGED, *NO_TESTS)
    assert again.succeeded, again.output
    assert built.value("select count(*) from bi.cases") == built.value("select count(*) from insights.dim_cases")


def test_tables_are_changed_in_place_whatever_the_name_of_the_database(
    postgres: LocalPostgres, settings: Settings, built_sample: str
) -> None:
    with disposable_copy(built_sample, r"100 %I of \0", postgres, settings) as warehouse:
        wanted = warehouse.rows(SHAPES, ["dim_roles"])
        warehouse.execute(
            "alter table insights.dim_roles drop column is_system_role, add column other text;"
            "create unique index on insights.dim_roles (other, role_id)"
        )
        load = warehouse.build("--select", "dim_roles", *NO_TESTS)
        assert load.succeeded, load.output
        assert warehouse.rows(SHAPES, ["dim_roles"]) == wanted


def test_what_cannot_be_kept_is_not_dropped_but_named(built: Warehouse) -> None:
    built.execute(
        "alter table insights.dim_labels alter column code type varchar(200);"
        "drop materialized view insights.report_profile_scores cascade;"
        "create materialized view insights.report_profile_scores as select 1 as task_count;"
        "comment on materialized view insights.report_profile_scores is 'Grain: of a former release';"
        "alter materialized view insights.report_profile_scores owner to orgo_insights_etl;"
        "grant select on insights.report_profile_scores to pg_monitor;"
        "create schema bi; create view bi.labels as select code from insights.dim_labels;"
        "create view bi.scores as select task_count from insights.report_profile_scores;"
        "create view bi.total as select sum(task_count) as total from bi.scores"
    )
    selected = ("--select", "dim_labels", "report_profile_scores", *NO_TESTS)
    refused = built.build(*selected)
    assert not refused.succeeded
    assert "The column code of" in refused.output
    assert "another type now, and these relations read it: bi.labels of postgres. Drop them" in refused.output
    assert "must be replaced, because its query or columns changed" in refused.output
    assert "read it: bi.scores of postgres, bi.total of postgres. Drop them, run the load again" in refused.output
    assert built.value("select total from bi.total") == 1
    built.execute("drop schema bi cascade")
    load = built.build(*selected)
    assert load.succeeded, load.output
    assert built.value("select has_table_privilege('pg_monitor', 'insights.report_profile_scores', 'select')")


def test_a_load_of_some_models_drops_none_of_the_others(built: Warehouse) -> None:
    # By their oid too, so that a relation that is dropped and made again is found.
    relations = (
        "select oid::regclass::text, oid from pg_class where relkind in ('r', 'v', 'm')"
        " and relnamespace::regnamespace::text like 'insights%' order by 1"
    )
    before = built.rows(relations)
    names = ("+fact_cases", "+dim_organizations", "int_applicable_profiles", "+report_profile_scores")
    load = built.build("--select", *names, *NO_TESTS)
    assert load.succeeded, load.output
    assert built.rows(relations) == before


FORMER_FUNCTION = """
    drop function insights_staging.read_roles() cascade;
    create function insights_staging.read_roles() returns table (former text) language sql as $$ select 'x' $$;
    create view insights_staging.stg_roles as select * from insights_staging.read_roles();
    alter function insights_staging.read_roles() owner to orgo_insights_etl;
    alter view insights_staging.stg_roles owner to orgo_insights_etl;
    create view public.of_others as select former from insights_staging.stg_roles;
"""


def test_a_view_over_staging_is_named_when_the_contract_has_other_columns(built: Warehouse) -> None:
    built.execute(FORMER_FUNCTION)
    refused = built.build("--select", "stg_roles", *NO_TESTS)
    assert not refused.succeeded
    assert "and these relations read it: public.of_others of postgres. Drop them" in refused.output
    assert built.value("select former from of_others") == "x"
    built.execute("drop view of_others")
    load = built.build("--select", "stg_roles", *NO_TESTS)
    assert load.succeeded, load.output


def test_a_load_waits_for_no_reader_to_let_a_table_be_published(built: Warehouse) -> None:
    identity = "select relreplident::text from pg_class where oid = 'insights.tokens'::regclass"
    built.execute("alter table insights.tokens replica identity default")
    with connect_as(built.admin_url) as other, other.transaction():
        other.execute("select count(*) from insights.tokens")
        load = built.build("--select", "tokens", command="seed")
        assert load.succeeded, load.output
        assert built.value(identity) == "d"
    assert built.build("--select", "tokens", command="seed").succeeded
    assert built.value(identity) == "f"
