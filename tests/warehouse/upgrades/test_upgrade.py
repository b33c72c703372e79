"""A warehouse that an earlier state has made is upgraded with its rows, and equals one that is built from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from support.contents import contents, from_scratch, incremental, rebuilt, reports, row_of
from support.small_scenario import NEXT_DAY, TASKS, TODAY, comment, event, task, uid
from support.upgrades.former_state import AS_OF, restore
from support.warehouse import NO_TESTS, Warehouse, connect_as, drop_database

from orchestration.config.files import Settings
from orchestration.reconcile import reconcile
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from orchestration.warehouse.plan import Change, plan
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

# Tables of the bookkeeping that CHANGELOG.md names as new since that state.
NEW_TABLES = {
    f"insights_ops.{name}"
    for name in (
        *("releases", "former_rows", "counted_reports", "dag_outcomes", "backup_runs", "backup_drills"),
        *("digest_deliveries", "source_fingerprints", "publications", "published_relations"),
    )
}
# What a role may select and call: what its sessions may be using while another release prepares the database.
RIGHTS = """
    select r.rolname, 'select', format('%s.%I', a.attrelid::regclass, a.attname)
    from pg_attribute as a
    inner join pg_class as c on a.attrelid = c.oid
    cross join pg_roles as r
    where
        c.relnamespace::regnamespace::text like 'insights%' and c.relkind in ('r', 'v', 'm') and a.attnum > 0
        and not a.attisdropped and r.rolname like 'orgo_insights%'
        and has_column_privilege(r.oid, c.oid, a.attnum, 'select')
    union all
    select r.rolname, 'execute', p.oid::regprocedure::text
    from pg_proc as p
    cross join pg_roles as r
    where
        p.pronamespace::regnamespace::text like 'insights%' and r.rolname like 'orgo_insights%'
        and has_function_privilege(r.oid, p.oid, 'execute')
"""
READABLE = """
    select format('select %s from %s', string_agg(quote_ident(a.attname), ', '), a.attrelid::regclass)
    from pg_attribute as a
    inner join pg_class as c on a.attrelid = c.oid
    where
        c.relnamespace::regnamespace::text like 'insights%' and c.relkind in ('r', 'v', 'm') and a.attnum > 0
        and not a.attisdropped and has_column_privilege('orgo_insights_ro', c.oid, a.attnum, 'select')
    group by a.attrelid
"""
# What happens after the upgrade, and before the next load.
DAY = "".join(
    (
        task("arrived", None, "2026-01-01 09:00"),
        comment("arrived", "2026-01-01 09:30"),
        event("escalated", "escalated", TODAY),
        f"update tasks set status = 'COMPLETED', closed_at = '{TODAY}+00', updated_at = '{TODAY}+00'"  # noqa: S608
        f" where id = '{uid('closed')}';",
        event("closed", "metadata_updated", TODAY),
        f"update tasks set case_id = '{uid('new_home')}', updated_at = '{TODAY}+00'"  # noqa: S608
        f" where id = '{uid('moved')}';",
    )
)


@dataclass(frozen=True)
class Upgraded:
    """The warehouse after the upgrade and a load, what was planned, and what roles could do before and after init."""

    warehouse: Warehouse
    fresh: Warehouse
    planned: list[Change]
    rights_before: set[tuple[str, str, str]]
    rights_after: set[tuple[str, str, str]]
    answers_before: dict[str, list[tuple[object, ...]]]
    answers_after: dict[str, list[tuple[object, ...]]]


def _answers(reader: psycopg.Connection, queries: list[str]) -> dict[str, list[tuple[object, ...]]]:
    return {query: sorted(reader.execute(query.encode()).fetchall(), key=repr) for query in queries}


@pytest.fixture(scope="module")
def upgraded(postgres: LocalPostgres, settings: Settings, prepared_sample: str) -> Iterator[Upgraded]:
    """Yield the restored state after what the changelog asks for: init, a build, and reconcile; and a day's load.

    `prepared_sample` has made the roles.
    """
    warehouse = restore("former_state", postgres, settings)
    rights_before = set(warehouse.rows(RIGHTS))
    queries = [query for (query,) in warehouse.rows(READABLE)]
    with connect_as(warehouse.reader_url) as reader:  # a service of the former release, which stays connected
        answers_before = _answers(reader, queries)
        with connect(warehouse.admin_url) as connection:
            planned = plan(connection, settings)
        with connect(warehouse.admin_url) as connection:
            initialize(connection, settings)
        answers_after = _answers(reader, queries)
    rights_after = set(warehouse.rows(RIGHTS))
    built = warehouse.build(*NO_TESTS, as_of=AS_OF)
    assert built.succeeded, built.output
    reconcile(settings, warehouse.etl_url, AS_OF)
    warehouse.execute(DAY)
    loaded = warehouse.build(*NO_TESTS, as_of=NEXT_DAY)
    assert loaded.succeeded, loaded.output
    fresh = from_scratch(warehouse, NEXT_DAY)
    yield Upgraded(warehouse, fresh, planned, rights_before, rights_after, answers_before, answers_after)
    for made in (warehouse, fresh):
        drop_database(postgres, made.name)


def test_the_plan_has_what_the_changelog_says_and_takes_nothing_away(upgraded: Upgraded) -> None:
    made = {(one.change, one.kind, one.name) for one in upgraded.planned}
    assert {name for change, kind, name in made if (change, kind) == ("create", "table")} == NEW_TABLES
    assert {name for change, kind, name in made if (change, kind) == ("create", "column")} == {
        "insights_ops.source_counts.newest_at",
        "insights_ops.load_log.source_claim",
    }
    assert ("create", "schema", "insights_personal") in made
    assert {one for one in made if one[0] == "drop"} == set()
    assert {kind for change, kind, _ in made if change == "change"} <= {"comment", "function", "privileges", "row"}


def test_what_the_former_release_may_read_and_call_stays_after_init(upgraded: Upgraded) -> None:
    assert upgraded.rights_before
    assert upgraded.rights_before <= upgraded.rights_after


def test_a_reader_that_stays_connected_gets_the_same_answers_after_init(upgraded: Upgraded) -> None:
    assert sum(map(len, upgraded.answers_before.values())) > 100
    assert upgraded.answers_after == upgraded.answers_before


def test_all_rows_are_those_of_a_build_from_nothing(upgraded: Upgraded) -> None:
    assert upgraded.warehouse.value("select count(*) from insights.dim_tasks") == len(TASKS) + 1
    for relation in (*incremental(), *rebuilt(), *reports()):
        rows, expected = (
            contents(one, relation, row_of(relation), without=("loaded_at", "review_count"))
            for one in (upgraded.warehouse, upgraded.fresh)
        )
        assert rows == expected, relation


def test_personal_columns_have_moved_with_their_values(upgraded: Upgraded) -> None:
    titles = upgraded.warehouse.rows("select distinct title from insights_personal.personal_cases")
    assert titles == [("Case-Title",)]
    assert not upgraded.warehouse.rows(
        "select from pg_attribute where attrelid = 'insights.dim_cases'::regclass and attname = 'title' and attnum > 0"
    )
