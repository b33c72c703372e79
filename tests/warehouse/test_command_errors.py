"""What a command line says when the warehouse is not as it should be: one message, exit code 1, no traceback."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.command import Fails
from support.warehouse import Warehouse

from workshop.services import LocalPostgres

pytest_plugins = ["support.command"]
pytestmark = pytest.mark.services

FailsOn = Callable[..., str]


@pytest.fixture
def fails_on(fails: Fails) -> FailsOn:
    """Run `insights ...` on a warehouse; it must fail with one message, which is returned."""

    def run(url: str, *arguments: str) -> str:
        err = fails(*arguments, INSIGHTS_WAREHOUSE_URL=url)
        assert err.startswith("Error: ")
        return err

    return run


@pytest.mark.parametrize(
    "command", [["status"], ["reviews", "list"], ["reviews", "send"], ["build"], ["reconcile"], ["exports", "audit"]]
)
def test_the_read_only_role_is_refused_with_the_remedy(fails_on: FailsOn, built: Warehouse, command: list[str]) -> None:
    said = fails_on(built.reader_url, *command)
    assert "permission denied" in said
    assert "insights.warehouse.write_user" in said or "audit of exports failed" in said


def test_each_kind_of_error_is_one_message(fails_on: FailsOn, prepared: Warehouse, database: str) -> None:
    def other_database(name: str) -> str:
        return prepared.postgres.url(name, "postgres")

    assert "INSIGHTS_WAREHOUSE_URL" in fails_on("", "status")
    assert "must begin with postgresql://" in fails_on("mysql://etl@h/orgo", "status")
    assert "Check host, port, database" in fails_on("postgresql://etl@h/orgo?sslmod=require", "status")
    assert 'database "no_such" does not exist' in fails_on(other_database("no_such"), "status")
    assert "Connection refused" in fails_on("postgresql://etl@127.0.0.1:1/orgo", "reviews", "list")
    assert "This database is not prepared. Run first: insights init" in fails_on(database, "status")
    assert "This database is not prepared for this release. Run first: insights init" in fails_on(database, "build")
    assert "Run: insights init, then insights build" in fails_on(prepared.etl_url, "status")
    assert "There is no organization" not in fails_on(prepared.etl_url, "patterns", "list", "--org", "x")


def test_an_organization_that_is_not_one_is_a_conflict(fails_on: FailsOn, built: Warehouse) -> None:
    built.execute("update insights.dim_organizations set slug = 'sample-stores' where slug = 'sample-hospital'")
    said = fails_on(built.etl_url, "patterns", "list", "--org", "sample-stores")
    assert said == "Error: Several organizations have the slug 'sample-stores': give the id of one.\n"


def test_a_writer_that_is_at_work_is_named(fails_on: FailsOn, prepared: Warehouse) -> None:
    with prepared.locked():
        assert "Another process is writing to this warehouse: process" in fails_on(prepared.etl_url, "build")


def test_a_server_that_is_gone_is_no_traceback(fails_on: FailsOn, postgres: LocalPostgres) -> None:
    assert "Cannot connect to PostgreSQL" in fails_on("postgresql://etl@/orgo?host=/nowhere", "build")
