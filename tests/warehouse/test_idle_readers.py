"""Readers idle in a transaction, such as a pg_dump: no load waits for them, and no reader queues behind a load."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.warehouse import DbtResult, Warehouse, connect_as

from orchestration.warehouse.connection import connect

pytestmark = pytest.mark.services

NO_TESTS = ("--exclude-resource-type", "test", "unit_test")
REBUILT = ("dim_organizations", "dim_dates", "bridge_entity_labels", "data_quality", "int_applicable_profiles")
VIEWS = ("stg_tasks", "made_reviews", "int_task_outcomes")
# When the statement began that tries to lock a relation.
LOCKING = """
    select query_start from pg_stat_activity
    where datname = current_database() and state = 'active' and query like '%do $lock$%' and pid <> pg_backend_pid()
"""


def _hold_every_relation(admin: psycopg.Connection) -> None:
    """Do what pg_dump does, and what a client does that has read every view and forgot to commit."""
    names = admin.execute(
        "select c.oid::regclass::text, c.relkind from pg_class as c"
        " where relkind in ('r', 'v', 'm') and relnamespace::regnamespace::text like 'insights%'"
    ).fetchall()
    for name, kind in names:
        if kind == b"r":
            admin.execute(f"lock table {name} in access share mode")
        else:
            admin.execute(f"select from {name} limit 0")


def _beside(warehouse: Warehouse, query: str, load: Callable[[], DbtResult]) -> tuple[DbtResult, int]:
    """Read until a load has ended; returns its result and how many answers came while it tried to lock a relation."""
    answers = 0
    with (
        ThreadPoolExecutor(1) as pool,
        connect_as(warehouse.reader_url) as reader,
        connect_as(warehouse.admin_url) as admin,
    ):
        build = pool.submit(load)
        while not build.done():
            before = admin.execute(LOCKING).fetchall()
            reader.execute(query)
            answers += bool(before) and before == admin.execute(LOCKING).fetchall()
            time.sleep(0.02)
        return build.result(), answers


def test_a_load_passes_readers_in_transactions_and_tables_keep_what_was_built_on_them(built: Warehouse) -> None:
    built.execute(
        "create view public.of_a_bi_tool as select organization_id, slug from insights.dim_organizations;"
        "grant select on insights.dim_organizations to pg_monitor"
    )
    identity = "select oid, relacl::text from pg_class where oid = 'insights.dim_organizations'::regclass"
    before = built.rows(identity)
    rows = built.value("select count(*) from insights.dim_dates")
    with connect(built.admin_url) as idle:
        _hold_every_relation(idle)
        # A lock that no reader shares could not be had before the end of this transaction.
        load = built.build("--select", *REBUILT, *VIEWS, *NO_TESTS)
    assert load.succeeded, load.output
    assert built.rows(identity) == before
    assert built.value("select count(*) from insights.dim_dates") == rows
    assert built.value("select count(*) from of_a_bi_tool") == built.value("select count(*) from organizations")


def test_a_table_that_must_be_swapped_names_the_reader_in_its_way(built: Warehouse) -> None:
    built.execute("alter table insights.dim_organizations add column former text")
    selected = ("--select", "dim_organizations", *NO_TESTS)
    with connect(built.admin_url) as idle:
        idle.execute("select count(*) from insights.dim_organizations")
        load, answers = _beside(
            built,
            "select count(*) from insights.dim_organizations",
            lambda: built.build(*selected, swap_attempts=2),
        )
        pid = idle.info.backend_pid
    assert not load.succeeded
    assert f"another session reads it: process {pid} (postgres, orgo-insights" in load.output
    assert "end its session with pg_terminate_backend" in load.output
    assert answers
    assert built.build(*selected).succeeded
    assert "former" not in built.value("select row_to_json(o)::text from insights.dim_organizations as o limit 1")


def test_a_table_that_is_analyzed_meanwhile_is_no_deadlock(built: Warehouse) -> None:
    """Autovacuum analyzes at any time, and waits for a transaction that has granted on the table."""
    table = "insights.dim_dates"
    built.execute(f"comment on table {table} is 'Grain: of an earlier release'")  # so that the load comments on it
    with ThreadPoolExecutor(1) as pool, connect(built.admin_url) as autovacuum:
        autovacuum.execute(f"lock table {table} in share update exclusive mode")
        load = pool.submit(built.build, "--select", "dim_dates", *NO_TESTS)
        built.wait_for(f"select exists (select from pg_locks where relation = '{table}'::regclass and not granted)")  # noqa: S608 - a name of this test
        autovacuum.execute(f"analyze {table}")
        autovacuum.commit()
        assert load.result().succeeded, load.result().output


def test_a_load_writes_only_the_comments_that_differ(built: Warehouse) -> None:
    comments = (
        "select objsubid, description, xmin::text from pg_description where objoid = 'insights.dim_dates'::regclass"
    )
    before = set(built.rows(comments))
    built.execute("comment on column insights.dim_dates.date_key is 'of an earlier release'")
    assert built.build("--select", "dim_dates", *NO_TESTS).succeeded
    after = set(built.rows(comments))
    assert len(after) == len(before) > len(after & before) == len(before) - 1
    assert {row[:2] for row in after} == {row[:2] for row in before}
