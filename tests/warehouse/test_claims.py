"""What only one process may do at a time, although sessions end, other roles interfere and poolers share sessions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from support import in_process
from support.contents import contents
from support.forked import ForkedBuild
from support.pooler import Pooler
from support.small_scenario import NEXT_DAY
from support.warehouse import NO_TESTS, Warehouse, connect_as

from orchestration.errors import BusyError, MisconfiguredError
from orchestration.warehouse import claims
from orchestration.warehouse.claims import held
from orchestration.warehouse.database import Database

pytestmark = pytest.mark.services

SELECTED = ("--select", "int_task_statuses", "int_task_lifecycle", "fact_tasks", *NO_TESTS)
DIMENSIONS = ("dim_dates", "dim_organizations", "dim_roles", "dim_labels", "dim_persons", "int_person_needs")
WAITING = "select exists (select from pg_locks where relation = 'insights.fact_tasks'::regclass and not granted)"
# A moment after the transactions of its load have begun to write.
END_A_HOLDER = """
    with holders as materialized (
        select c.backend_pid
        from insights_ops.claims as c
        inner join insights_ops.load_log as l on c.claim_number = l.claim_number
        where c.claim_name = 'writer' and insights_ops.is_held(c)
        limit 1
    )

    select backend_pid from holders where pg_terminate_backend(backend_pid, 180000)
"""
HOLDER = "select backend_pid from insights_ops.claims where claim_name = 'writer'"


@contextmanager
def _held_up_build(warehouse: Warehouse) -> Iterator[ForkedBuild]:
    """Start a build that waits in the transaction that writes fact_tasks, and end the session that holds its lock."""
    with connect_as(warehouse.admin_url) as other, other.transaction():
        other.execute("lock table insights.fact_tasks in share row exclusive mode")
        build = ForkedBuild(warehouse, *SELECTED, as_of=NEXT_DAY)
        warehouse.wait_for(WAITING)
        assert warehouse.value("select pg_terminate_backend(%s, 180000)", warehouse.value(HOLDER))
        yield build


def _claims(warehouse: Warehouse) -> list[int]:
    """Return the numbers of the writers in the order in which their transactions wrote."""
    query = "select claim_number from insights_ops.load_log where claim_number is not null order by load_log_id"
    return [number for (number,) in warehouse.rows(query)]


def test_a_build_whose_lock_has_lost_its_session_goes_on(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "PATIENCE", "100ms")
    # A second writer cannot start while a transaction of the first one writes.
    refused = pytest.raises(BusyError, match=r"still has a statement running in the database: process \d+ \(")
    with _held_up_build(built) as build, refused:
        built.build(*SELECTED, as_of=NEXT_DAY)
    exit_code, output = build.wait()
    assert exit_code == 0, output
    written = contents(built, "insights.fact_tasks")
    assert built.build(*SELECTED, as_of=NEXT_DAY).succeeded
    assert contents(built, "insights.fact_tasks") == written


def test_a_build_whose_lock_another_has_taken_writes_no_more(built: Warehouse) -> None:
    with built.locked() as first:
        number = first.value("select claim_number from insights_ops.claims where claim_name = 'writer'")
        built.rows("select pg_terminate_backend(%s, 180000)", first.connection.info.backend_pid)
        with built.locked() as second:
            pid = second.connection.info.backend_pid
            # dbt as the process runs it whose claim has this number.
            variables = {"as_of": NEXT_DAY.isoformat()}
            succeeded, said = in_process.run(built.settings, ["build", *SELECTED], built.etl_url, variables, number)
    assert not succeeded
    assert 'This process has lost the claim "writer", because the session that held it has ended.' in said
    assert f"It has passed to process {pid} (orgo_insights_etl, orgo-insights, since " in said
    assert "then run the same command again" in said
    assert number not in _claims(built)
    assert built.build(*SELECTED, as_of=NEXT_DAY).succeeded


def test_builds_whose_sessions_end_never_write_at_the_same_time(built: Warehouse) -> None:
    """Two builds run at any time, while the sessions that hold the lock end."""
    running: list[ForkedBuild] = []
    has_succeeded, ended, next_start = False, set[int](), 0.0
    deadline = time.monotonic() + 500
    while not has_succeeded:
        assert time.monotonic() < deadline
        # A build that another refuses ends soon: one more starts when its turn comes, not in a loop.
        if len(running) < 2 and time.monotonic() >= next_start:
            running.append(ForkedBuild(built, "--select", *DIMENSIONS, *NO_TESTS, as_of=NEXT_DAY))
            next_start = time.monotonic() + 0.5
        time.sleep(0.05)
        if len(ended) < 3:
            ended.update(pid for (pid,) in built.rows(END_A_HOLDER))
        for build in [build for build in running if build.exit_code is not None]:
            running.remove(build)
            has_succeeded |= build.exit_code == 0 and len(ended) == 3
    for build in running:
        build.kill()
    built.wait_for(
        "select not exists (select from pg_stat_activity"
        " where datname = current_database() and usename = 'orgo_insights_etl')"
    )
    written = _claims(built)
    assert len(set(written)) > 1
    assert written == sorted(written)
    assert built.build("--select", *DIMENSIONS, as_of=NEXT_DAY).succeeded


def test_no_role_but_that_of_the_loads_can_keep_a_build_waiting(built: Warehouse) -> None:
    statements = (
        "do $$ begin lock table insights_ops.claims in row share mode; end $$",
        "select claim_number from insights_ops.claims for share",
        "insert into insights_ops.claims select * from insights_ops.claims",
        "update insights_ops.claims set released_at = null",
        "select insights_ops.prove_claim('writer', 1)",
    )
    with connect_as(built.reader_url) as reader:
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)
        # The keys of advisory locks in earlier releases.
        for name in ("orgo-insights-writer", "orgo-insights-review-sender"):
            reader.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [name])
        assert built.build("--select", "dim_dates", *NO_TESTS).succeeded


def test_a_claim_is_free_when_its_session_has_ended_even_if_another_has_its_number_now(prepared: Warehouse) -> None:
    with prepared.locked():
        pass
    with connect_as(prepared.etl_url) as other, prepared.locked() as mine:
        numbers = "select claim_number from insights_ops.claims"
        pid, number = other.info.backend_pid, prepared.value(numbers)
        # A process of the same number, whose session began at another time.
        mine.execute("update insights_ops.claims set backend_pid = %s", [pid])
        with prepared.locked():
            assert prepared.value(numbers) > number
        assert mine.value("select 1") == 1


@pytest.mark.parametrize("name", ["writer", "review sender"])
def test_a_claim_through_a_pooler_is_refused(prepared: Warehouse, name: str) -> None:
    with Pooler(prepared.postgres.socket_dir / ".s.PGSQL.5432") as port:
        url = f"postgresql://orgo_insights_etl@127.0.0.1:{port}/{prepared.name}?sslmode=disable&gssencmode=disable"
        with connect_as(url) as pooled:
            db = Database(prepared.settings, pooled)
            with pytest.raises(MisconfiguredError, match="leads to a connection pooler"), held(db, name, "writing"):
                pass
