"""Whoever reads the marts selects whole rows of each relation, and finds relations and columns with their comments."""

# ruff: noqa: S608 -- every statement is made of names of the catalog

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from support.policy import models
from support.readers import add_reader, largest_organizations, reader_of, remove_reader
from support.warehouse import Warehouse, connect_as, disposable_copy

from orchestration.config.files import Settings
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

RELATIONS = """
    select c.relname::text, c.relkind::text from pg_class as c
    where c.relnamespace = 'insights'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1
"""
# As a BI tool lists them.
LISTED = """
    select t.table_name::text, obj_description(format('%I.%I', t.table_schema, t.table_name)::regclass)
    from information_schema.tables as t where t.table_schema = 'insights'
"""
COLUMNS = """
    select a.attrelid::regclass::text || '.' || a.attname, col_description(a.attrelid, a.attnum)
    from pg_attribute as a
    inner join pg_class as c on a.attrelid = c.oid
    where
        c.relnamespace::regnamespace::text in ('insights', 'insights_personal')
        and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped
"""


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Iterator[Warehouse]:
    """Yield a copy of the built sample with the reader of one organization."""
    with disposable_copy(built_sample, "whole_rows", postgres, settings) as warehouse:
        ((organization, slug), _) = largest_organizations(warehouse)
        add_reader(warehouse, slug)
        yield warehouse
        remove_reader(warehouse, organization)


def _selected(session: psycopg.Connection, relations: list[str]) -> dict[str, int]:
    """Select all columns of each relation; returns the number of rows, and -1 where that is refused."""
    found = {}
    for relation in relations:
        try:
            with session.transaction():
                found[relation] = len(session.execute(f"select * from insights.{relation}").fetchall())
        except psycopg.errors.InsufficientPrivilege:
            found[relation] = -1
    return found


def test_the_role_of_dashboards_selects_whole_rows_of_every_relation(warehouse: Warehouse) -> None:
    kinds = dict(warehouse.rows(RELATIONS))
    assert {"dim_cases", "dim_persons", "fact_tasks", "report_profile_scores", "tokens"} <= set(kinds)
    assert set(kinds.values()) == {"r", "v", "m"}
    with connect_as(warehouse.reader_url) as session:
        found = _selected(session, list(kinds))
        # The view for logins of one organization shows the role all rows of what it stands for.
        counted = {name: name.removeprefix("reader_") for name in kinds}
        assert found == {name: warehouse.value(f"select count(*) from insights.{of}") for name, of in counted.items()}
        assert min(found[name] for name in ("dim_cases", "dim_persons", "reader_report_profile_scores")) > 0
        listed: dict[str, str | None] = dict(session.execute(LISTED).fetchall())
        assert {name for name, kind in kinds.items() if kind != "m"} == set(listed)
        assert {name for name, comment in listed.items() if not (comment or "").startswith("Grain: ")} == set()


def test_the_view_for_readers_shows_all_rows_to_members_of_the_role_only(warehouse: Warehouse) -> None:
    """A login that is a member of the read-only role sees what the role sees; a stranger with a grant sees nothing."""
    view = "insights.reader_report_profile_scores"
    count = f"select count(*) from {view}"
    names = ("whole_rows_member", "whole_rows_stranger")
    for name in names:
        warehouse.execute(f"create role {name} login; grant usage on schema insights to {name}")
    try:
        warehouse.execute(f"grant orgo_insights_ro to {names[0]}; grant select on {view} to {names[1]}")
        seen: list[int] = []
        for name in names:
            with connect_as(warehouse.postgres.url(warehouse.name, name)) as session:
                seen += session.execute(count).fetchone() or ()
        assert seen == [warehouse.value("select count(*) from insights.report_profile_scores"), 0]
    finally:
        for name in names:
            warehouse.execute(f"drop owned by {name}; drop role {name}")


def test_the_reader_of_an_organization_selects_whole_rows_of_every_relation(warehouse: Warehouse) -> None:
    kinds = dict(warehouse.rows(RELATIONS))
    role = reader_of(warehouse, largest_organizations(warehouse)[0][0])
    with connect_as(warehouse.postgres.url(warehouse.name, role)) as session:
        found = _selected(session, list(kinds))
        # A materialized view can have no policies; a view of the same name stands for it (decision D152).
        assert {name for name, rows in found.items() if rows < 0} == {"report_profile_scores"}
        assert min(found[name] for name in ("dim_cases", "dim_persons", "reader_report_profile_scores")) > 0
        listed: dict[str, str | None] = dict(session.execute(LISTED).fetchall())
        assert set(listed) == set(kinds) - {"report_profile_scores"}


def test_every_column_has_a_comment(warehouse: Warehouse) -> None:
    found = dict(warehouse.rows(COLUMNS))
    assert len(found) > 350
    assert sorted(name for name, comment in found.items() if not comment) == []


def test_columns_of_a_former_release_move_and_leave_no_copy(warehouse: Warehouse) -> None:
    """The personal columns that release 2 kept in the dimensions, with a case that the source has lost since."""
    columns = "case_id, organization_id, title, source_keys, visible_source_keys"
    personal = f"select {columns} from insights_personal.personal_cases order by case_id"
    before = warehouse.rows(personal)
    warehouse.execute(
        """
        alter table insights.dim_cases add title text, add source_keys text[], add visible_source_keys text[];
        update insights.dim_cases as c set
            title = p.title, source_keys = p.source_keys, visible_source_keys = p.visible_source_keys
        from insights_personal.personal_cases as p where p.case_id = c.case_id;
        alter table insights.dim_cases alter source_keys set not null;
        alter table insights.dim_persons add full_name text, add external_reference text;
        update insights.dim_persons set full_name = 'Person-Name';
        drop table insights_personal.personal_cases, insights_personal.personal_persons cascade;
        create temporary table lost as select case_id from insights.dim_cases where case_id not in
            (select case_id from tasks where case_id is not null) order by case_id limit 1;
        delete from cases where id in (select case_id from lost)
        """
    )
    done = warehouse.build("--exclude-resource-type", "test", "unit_test")
    assert done.succeeded, done.output[-3000:]
    assert warehouse.rows(personal) == before
    for relation in ("dim_cases", "dim_persons"):
        declared = next(set(mart["columns"]) for mart in models("models/marts/core/") if mart["name"] == relation)
        query = f"select column_name::text from information_schema.columns where table_name = '{relation}'"
        assert {name for (name,) in warehouse.rows(f"{query} and table_schema = 'insights'")} == declared
