"""A standby server takes no changes: each command that needs some says so in one message."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.command import Fails

from orchestration.config.files import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.operational import create_operational_schema
from workshop.services import LocalPostgres, remove_state, state_root

pytest_plugins = ["support.command"]
pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def standby(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[LocalPostgres]:
    """Yield a server in recovery, with a prepared database `orgo`."""
    state = state_root(tmp_path_factory.mktemp("standby"))
    server = LocalPostgres(state, {"wal_level": "replica", "max_wal_senders": "1"})
    server.start()
    server.create_database("orgo")
    with connect(server.url("orgo", "postgres")) as connection:
        create_operational_schema(connection)
        initialize(connection, settings)
    server.stop()
    (state / "postgres/data/standby.signal").touch()
    server.start()
    yield server
    server.stop()
    remove_state(state)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["init"], "This server is a standby, which takes no changes. Connect to the primary server"),
        (["build"], "INSIGHTS_WAREHOUSE_URL must lead to the primary server."),
        (["reconcile"], "INSIGHTS_WAREHOUSE_URL must lead to the primary server."),
        (["status"], "Run: insights init, then insights build"),
        (["reviews", "list"], "Run: insights init, then insights build"),
        (["reviews", "retry", "--all-failed"], "INSIGHTS_WAREHOUSE_URL must lead to the primary server."),
    ],
)
def test_a_command_on_a_standby_ends_with_one_message(
    standby: LocalPostgres, arguments: list[str], says: str, fails: Fails
) -> None:
    err = fails(
        *arguments,
        INSIGHTS_ADMIN_URL=standby.url("orgo", "postgres"),
        INSIGHTS_WAREHOUSE_URL=standby.url("orgo", "orgo_insights_etl"),
    )
    assert err.startswith("Error: ")
    assert says in " ".join(err.split())
