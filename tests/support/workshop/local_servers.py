"""Private servers of a test, in a state folder of its own; `pytest_plugins` names this module for its fixtures."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from workshop.services import LocalPostgres, LocalRedis, remove_state, state_root


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = state_root(tmp_path)
    yield folder
    LocalPostgres(folder).stop()
    LocalRedis(folder).stop()
    remove_state(folder)


def query_value(server: LocalPostgres, query: str, database: str = "postgres") -> object:
    with psycopg.connect(server.url(database, "postgres"), autocommit=True) as connection:
        cursor = connection.execute(query)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def postmaster(server: LocalPostgres) -> int:
    return int((server.socket_dir / "data" / "postmaster.pid").read_text().split()[0])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline, "the condition is still false after 180 s"
        time.sleep(0.01)
