"""What the read-only role may use of the server; a load finds connections when dashboards use all of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from support.warehouse import Warehouse, connect_as

from orchestration.cli import commands
from orchestration.config.files import CONFIG_FILE, PROJECT, Settings
from orchestration.errors import MisconfiguredError, UnavailableError
from orchestration.warehouse.access.roles import limit_reader
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.init import InitReport, initialize

pytestmark = pytest.mark.services

LIMITED = {"connections": 2, "statement_seconds": 1, "idle_in_transaction_seconds": 1, "temp_file_mb": 1}
SORT = "select count(*) from (select n from generate_series(1, 500000) as n order by md5(n::text) offset 1) as sorted"


def changed(settings: Settings, **values: Any) -> Settings:
    """Return settings with other values of `insights.warehouse`."""
    warehouse = settings.insights.warehouse.model_copy(update=values)
    return replace(settings, insights=settings.insights.model_copy(update={"warehouse": warehouse}))


def with_limits(settings: Settings, **limits: int) -> Settings:
    return changed(settings, reader_limits=settings.insights.warehouse.reader_limits.model_copy(update=limits))


def init(warehouse: Warehouse, settings: Settings) -> InitReport:
    with connect(warehouse.admin_url) as connection:
        return initialize(connection, settings)


@pytest.fixture
def limited(prepared: Warehouse) -> Iterator[Warehouse]:
    """Yield a prepared database with small limits; roles belong to the whole server, so they are restored."""
    # A test that failed may keep a pool of connections, which would count.
    prepared.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'orgo_insights_ro'")
    prepared.wait_for("select not exists (select from pg_stat_activity where usename = 'orgo_insights_ro')")
    init(prepared, with_limits(prepared.settings, **LIMITED))
    yield prepared
    init(prepared, prepared.settings)


def test_statements_and_waiting_transactions_of_the_reader_end(limited: Warehouse) -> None:
    with (
        connect_as(limited.reader_url) as reader,
        pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"),
    ):
        reader.execute("select pg_sleep(60)")
    with connect_as(limited.reader_url) as reader:
        reader.execute("begin")
        pid = reader.info.backend_pid
        limited.wait_for(f"select not exists (select from pg_stat_activity where pid = {pid})")  # noqa: S608 - a number
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            reader.execute("select 1")


def test_the_reader_neither_fills_the_disk_nor_raises_its_limit(limited: Warehouse) -> None:
    with connect_as(limited.reader_url) as reader:
        reader.execute("set statement_timeout to 0")
        reader.execute("set work_mem to '64kB'")
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="temp_file_limit"):
            reader.execute(SORT)
        for statement in ("set temp_file_limit to -1", "alter role orgo_insights_ro connection limit -1"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)


def test_a_load_connects_while_dashboards_use_all_of_their_connections(limited: Warehouse) -> None:
    with connect_as(limited.reader_url), connect_as(limited.reader_url):
        with pytest.raises(UnavailableError, match='too many connections for role "orgo_insights_ro"'):
            connect(limited.reader_url)
        assert limited.build("--select", "dim_dates", command="run").succeeded


def test_init_reports_how_many_connections_are_left(prepared: Warehouse) -> None:
    # A server of 60 connections, three of which are reserved for superusers.
    assert prepared.value("show max_connections") == "60"
    assert init(prepared, prepared.settings).spare_connections == 60 - 3 - 40


def test_init_warns_if_dashboards_leave_too_few_connections_for_a_load(
    prepared: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_CONFIG", str(tmp_path / "config.yaml"))
    text = (PROJECT / CONFIG_FILE).read_text("utf-8")

    def printed(connections: int) -> str:
        changed = text.replace("      connections: 40\n", f"      connections: {connections}\n")
        (tmp_path / "config.yaml").write_text(changed, "utf-8")
        done = CliRunner().invoke(commands, ["init", "--admin-url", prepared.admin_url])
        assert done.exit_code == 0, done.output
        return done.output

    try:
        # Of the 57 that are not reserved, a load takes 4 for its threads and 3 more.
        assert "connections to others" not in printed(50)
        assert "Dashboards may leave 6 of the server's connections to others, and a load takes 7. Lower" in printed(51)
        assert "Dashboards may leave 0 of the server's connections to others" in printed(70)
    finally:
        init(prepared, prepared.settings)


def test_who_may_not_limit_temporary_files_gets_the_statement(prepared: Warehouse) -> None:
    settings = with_limits(prepared.settings, temp_file_mb=77)
    prepared.execute("create role limiter login createrole; grant orgo_insights_ro to limiter with admin option")
    try:
        for _ in range(2):
            with connect_as(prepared.postgres.url(prepared.name, "limiter")) as connection:
                statements = limit_reader(Database(settings, connection))
            assert statements == ["""alter role "orgo_insights_ro" set "temp_file_limit" to '77MB';"""]
        prepared.execute(statements[0])
        with connect_as(prepared.postgres.url(prepared.name, "limiter")) as connection:
            assert limit_reader(Database(settings, connection)) == []
        with connect_as(prepared.reader_url) as reader:
            assert reader.execute("show temp_file_limit").fetchall() == [("77MB",)]
    finally:
        prepared.execute("drop owned by limiter; drop role limiter")
        init(prepared, prepared.settings)


@pytest.mark.parametrize("key", ["write_user", "read_only_user"])
def test_a_superuser_is_refused_as_a_role_and_stays_as_it_is(prepared: Warehouse, key: str) -> None:
    configured = "select setconfig from pg_db_role_setting where setrole = 'postgres'::regrole"
    before = prepared.rows(configured)
    with pytest.raises(MisconfiguredError, match=rf"insights\.warehouse\.{key} is postgres, a superuser"):
        init(prepared, changed(prepared.settings, **{key: "postgres"}))
    assert prepared.rows(configured) == before
