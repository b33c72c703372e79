"""`insights init` waits for another one, for loads and for readers, for a limited time, and names whom it waits for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from support.warehouse import Warehouse, connect_as

from orchestration.errors import BusyError
from orchestration.warehouse import init
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.plan import plan
from orchestration.warehouse.transaction_lock import transaction_lock
from orchestration.warehouse.writer_lock import writer_lock

pytestmark = pytest.mark.services

INSIGHTS = str(Path(sys.executable).with_name("insights"))
SESSIONS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


def _start(warehouse: Warehouse) -> subprocess.Popen[str]:
    environment = os.environ | {"INSIGHTS_ADMIN_URL": warehouse.admin_url, "INSIGHTS_WAREHOUSE_URL": warehouse.etl_url}
    return subprocess.Popen([INSIGHTS, "init"], env=environment, text=True, stderr=subprocess.PIPE)


def test_of_two_at_once_the_second_waits(prepared: Warehouse) -> None:
    with connect(prepared.admin_url) as holder:
        transaction_lock(holder, init.LOCK_NAME, "preparing this database", 0)
        processes = [_start(prepared) for _ in range(2)]
        deadline = time.monotonic() + 120
        while holder.execute(SESSIONS).fetchone() != (2,):
            holder.execute("select pg_stat_clear_snapshot()")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert [process.poll() for process in processes] == [None, None]
    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
    assert ended == [("", 0)] * 2


def test_the_wait_is_bounded_and_the_holder_is_named(prepared: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "PATIENCE", 0)
    with connect(prepared.admin_url) as holder, connect(prepared.admin_url) as second:
        transaction_lock(holder, init.LOCK_NAME, "preparing this database", 0)
        expected = (
            "Another session holds the lock for preparing this database: process"
            rf" {holder.info.backend_pid} \(role postgres, application orgo-insights\)\. Wait until"
        )
        with pytest.raises(BusyError, match=expected):
            init.initialize(second, prepared.settings)


def test_a_role_that_takes_the_lock_for_itself_is_named(prepared: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "PATIENCE", 0)
    with psycopg.connect(prepared.reader_url, autocommit=True, application_name="a BI tool") as reader:
        reader.execute("select pg_advisory_lock_shared(hashtextextended(%s, 0))", [init.LOCK_NAME])
        with connect(prepared.admin_url) as connection, pytest.raises(BusyError) as refused:
            init.initialize(connection, prepared.settings)
        holder = f"process {reader.info.backend_pid} (role orgo_insights_ro, application a BI tool)"
    assert f"preparing this database: {holder}." in str(refused.value)


def test_a_change_of_the_same_role_by_another_session_is_a_message(prepared: Warehouse) -> None:
    # Roles belong to the server: init in another of its databases, which has a lock of its own, changes them too.
    change = "alter role orgo_insights_etl set statement_timeout to 0"
    with connect_as(prepared.postgres.url("postgres", "postgres")) as other, connect(prepared.admin_url) as connection:
        other.execute("begin")
        other.execute(change)

        def release() -> None:
            deadline = time.monotonic() + 120
            query = "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
            with connect_as(prepared.postgres.url("postgres", "postgres")) as watcher:
                while not watcher.execute(query, [connection.info.backend_pid]).fetchall():
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            other.execute("commit")

        with ThreadPoolExecutor(1) as pool:
            released = pool.submit(release)
            with pytest.raises(
                BusyError, match=r"Another session changes the same objects .*tuple concurrently updated"
            ):
                init.initialize(connection, prepared.settings)
            released.result()


def test_a_load_keeps_init_away_and_is_named_and_init_keeps_loads_away(
    prepared: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init, "PATIENCE", 0)
    prepared.execute("drop index insights_ops.former_rows_replaced")
    with connect(prepared.admin_url) as connection:
        with Database.open(prepared.settings, prepared.etl_url) as load, writer_lock(load):
            expected = (
                rf"Another process is writing to this warehouse: process {load.connection.info.backend_pid}"
                r" \(orgo_insights_etl, .*\)\. Wait until it has finished\. insights init .* has changed nothing\."
            )
            with pytest.raises(BusyError, match=expected):
                init.initialize(connection, prepared.settings)
            assert prepared.value("select to_regclass('insights_ops.former_rows_replaced')") is None
            # A plan is made beside a load, and so is an upgrade that waits until the load has ended.
            assert "insights_ops.former_rows_replaced" in {one.name for one in plan(connection, prepared.settings)}
            connection.rollback()
            monkeypatch.setattr(init, "PATIENCE", 60)
            pool = ThreadPoolExecutor(1)
            upgrade = pool.submit(init.initialize, connection, prepared.settings)
            time.sleep(1.5)
            assert not upgrade.done()
        upgrade.result()
        pool.shutdown()
        assert not connection.autocommit
    assert prepared.value("select to_regclass('insights_ops.former_rows_replaced')") is not None
    with connect(prepared.admin_url) as holder, connect(prepared.admin_url) as connection:
        transaction_lock(holder, init.LOCK_NAME, "preparing this database", 0)
        with ThreadPoolExecutor(1) as pool, Database.open(prepared.settings, prepared.etl_url) as load:
            upgrade = pool.submit(init.initialize, connection, prepared.settings)
            prepared.wait_for("select exists (select from insights_ops.claims as c where insights_ops.is_held(c))")
            with pytest.raises(BusyError, match=r"Another process is writing.* \(postgres, "), writer_lock(load):
                pass
            holder.rollback()
            upgrade.result()
            with writer_lock(load):
                pass


def _read_everything(session: psycopg.Connection) -> None:
    """Hold what pg_dump holds: every table, in a transaction."""
    tables = "select oid::regclass::text from pg_class where relkind = 'r' and oid > 16384"
    for (name,) in session.execute(tables).fetchall():
        session.execute(f"lock table {name} in access share mode".encode())


def test_a_second_init_waits_for_no_reader(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "PATIENCE", 0)
    with connect(built.admin_url) as dump, connect(built.admin_url) as connection:
        _read_everything(dump)
        init.initialize(connection, built.settings)


def test_an_upgrade_waits_for_a_reader_in_short_attempts_and_names_it(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    built.execute("alter table insights_ops.load_log drop column claim_number")
    monkeypatch.setattr(init, "PATIENCE", 0)
    with connect(built.admin_url) as dump, connect(built.admin_url) as connection:
        _read_everything(dump)
        with pytest.raises(BusyError) as refused:
            init.initialize(connection, built.settings)
        said = str(refused.value)
        assert "or reads what changes (canceling statement due to lock timeout)" in said
        assert f"process {dump.info.backend_pid} (role postgres, application orgo-insights)" in said
        monkeypatch.setattr(init, "PATIENCE", 30)
        with ThreadPoolExecutor(1) as pool:
            upgrade = pool.submit(init.initialize, connection, built.settings)
            with connect_as(built.reader_url) as reader:
                built.wait_for("select exists (select from pg_locks where not granted)")
                # A dashboard's question about its load, which would be behind the upgrade until the dump has ended.
                reader.execute("select max(load_log_id) from insights_ops.load_log")
            assert not upgrade.done()
            dump.rollback()
            upgrade.result()
    assert built.value("select count(claim_number) from insights_ops.load_log") == 0
