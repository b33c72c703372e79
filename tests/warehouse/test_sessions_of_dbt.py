"""A thread of dbt runs its nodes in one session (decision D228); a node finds nothing there that another has left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Any

import pytest
from dbt.adapters.postgres.connections import PostgresConnectionManager, PostgresCredentials
from support.warehouse import NO_TESTS, Warehouse

from orchestration.warehouse.connection import connect
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

LEAVE = (
    "create temporary table left_over as select 1 as n",
    "set work_mem = '77MB'",
    "select pg_advisory_lock(4711)",
)
FIND = """
    select pg_backend_pid(), to_regclass('pg_temp.left_over') is null, current_setting('work_mem'),
        (select count(*) from pg_locks where locktype = 'advisory')
"""

SCHEMAS = 5  # of the warehouse
# Many more models than threads, and some of each schema.
MANY = ["staging", "labels_history", "personal_persons", "rejects", "dim_dates", "dim_roles", "dim_organizations"]
SESSIONS = """
    select (select count(*) from pg_stat_activity where datname = current_database()), sessions
    from pg_stat_database where datname = current_database()
"""


@pytest.fixture
def sessions(prepared: Warehouse, postgres: LocalPostgres) -> Iterator[PostgresConnectionManager]:
    user = prepared.settings.insights.warehouse.write_user
    place: dict[str, Any] = {"host": str(postgres.socket_dir), "port": 5432, "user": user, "password": ""}
    credentials = PostgresCredentials(database=prepared.name, schema="insights", **place)
    profile: Any = SimpleNamespace(credentials=credentials)
    manager: Any = PostgresConnectionManager(profile, get_context("spawn"))  # type: ignore[no-untyped-call]
    yield manager
    manager.cleanup_all()


def ask(sessions: PostgresConnectionManager, name: str, *statements: str) -> tuple[object, ...]:
    """Run statements as a node does, the last of which has one row, and release the session."""
    sessions.set_connection_name(name)
    for statement in statements:
        _, cursor = sessions.add_query(statement)
    (row,) = cursor.fetchall()
    sessions.release()
    return tuple(row)


def test_a_node_finds_the_session_of_the_one_before_as_good_as_new(sessions: PostgresConnectionManager) -> None:
    first = ask(sessions, "model.orgo_insights.first", "begin", FIND)
    left = ask(sessions, "model.orgo_insights.second", "begin", *LEAVE, FIND)
    assert left[1:] == (False, "77MB", 1)
    assert ask(sessions, "test.orgo_insights.third", "begin", FIND) == first
    assert first[1:] == (True, "4MB", 0)


def test_what_a_failed_node_left_open_is_rolled_back(sessions: PostgresConnectionManager, prepared: Warehouse) -> None:
    sessions.set_connection_name("model.orgo_insights.first")
    sessions.add_query("create table insights_staging.half_made as select 1 as n")
    sessions.release()
    assert ask(sessions, "model.orgo_insights.second", "select to_regclass('insights_staging.half_made')") == (None,)
    assert prepared.value("select to_regclass('insights_staging.half_made')") is None


def test_a_session_that_ended_at_rest_is_replaced(sessions: PostgresConnectionManager, prepared: Warehouse) -> None:
    first = ask(sessions, "model.orgo_insights.first", FIND)
    prepared.execute(f"select pg_terminate_backend({first[0]}, 5000)")
    second = ask(sessions, "model.orgo_insights.second", FIND)
    assert second[0] != first[0] and second[1:] == first[1:]


def test_other_work_of_dbt_closes_its_session(sessions: PostgresConnectionManager, prepared: Warehouse) -> None:
    first = ask(sessions, "list_insights", FIND)
    prepared.wait_for(f"select not exists (select from pg_stat_activity where pid = {first[0]})")  # noqa: S608 -- a number
    assert ask(sessions, "list_insights", FIND)[0] != first[0]


def test_the_sessions_of_a_load_do_not_grow_with_its_nodes(built: Warehouse) -> None:
    with connect(built.admin_url, autocommit=True) as connection:

        def ended() -> int:
            deadline = time.monotonic() + 60
            while True:
                connection.execute("select pg_stat_force_next_flush()")
                ((present, started),) = connection.execute(SESSIONS).fetchall()
                if present == 1:
                    return int(started)
                assert time.monotonic() < deadline, "a session of the load does not end"
                time.sleep(0.05)

        found = [ended()]
        for selected in (["stg_roles"], MANY):
            assert built.build("--select", *selected, *NO_TESTS).succeeded
            found.append(ended())
    one_model, many_models = (after - before for before, after in pairwise(found))
    # A session for each further thread, and for the relations of each further schema.
    assert many_models - one_model <= built.settings.insights.etl.concurrency + SCHEMAS, found
