"""An export that is killed, or whose database goes away: no file, no slot lost, and the audit knows."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.exports.exporting import ExportSession

from orchestration.errors import InsightsError
from orchestration.exports.audit import newest_attempts
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from workshop.services import LocalPostgres

pytest_plugins = ["support.exports.export_sessions"]
pytestmark = pytest.mark.services


@pytest.fixture
def session(session: ExportSession) -> ExportSession:
    """Return a session for the shared copy that allows two parallel exports per user."""
    return session.changed(max_parallel_exports_per_user=2)


@pytest.fixture
def begin(session: ExportSession) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Begin an export of tasks in a process of its own, and return when its first row is there."""
    begun = []

    def start(output: str) -> subprocess.Popen[str]:
        process = session.start("tasks", output)
        begun.append(process)
        assert process.stdout
        assert process.stdout.readline() == "streaming\n", process.communicate()[1]
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()


def _states(session: ExportSession) -> dict[str, str]:
    """Return the state of each attempt of this test, by the name of its output."""
    with connect(session.warehouse.etl_url) as connection:
        tries = newest_attempts(Database(session.settings, connection), 100, None)
    return {Path(found.output).name.removesuffix(".csv"): found.state for found in reversed(tries)}


def _finally(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_killed_export_leaves_no_file_and_no_taken_slot(
    session: ExportSession, begin: Callable[[str], subprocess.Popen[str]]
) -> None:
    first, second = begin("killed"), begin("alive")
    assert _states(session) == {"killed": "running", "alive": "running"}
    assert "already runs as many exports" in session.refusal("tasks", output="third")
    # Another user of the organization has slots of their own.
    assert session.export("tasks", user=session.user(number=1), output="of_another").rows > 0
    first.send_signal(signal.SIGKILL)
    first.wait()
    # The server frees the slot when it sees that the connection is gone.
    _finally(lambda: _states(session)["killed"] == "aborted")
    assert session.export("tasks", output="fourth").rows > 0
    assert [name for name in session.files() if name.startswith("killed")] == []
    assert second.communicate("\n")[1] == ""
    assert second.returncode == 0
    assert _states(session) == {
        "killed": "aborted",
        "alive": "finished",
        "third": "refused",
        "of_another": "finished",
        "fourth": "finished",
    }
    # The next export removes what the killed one was writing.
    finished = {f"{name}.csv" for name in ("alive", "of_another", "fourth")}
    assert set(session.files()) == finished | {f"{name}.manifest.json" for name in finished}


def test_a_terminated_export_is_aborted(session: ExportSession, begin: Callable[[str], subprocess.Popen[str]]) -> None:
    process = begin("terminated")
    process.terminate()
    process.wait()
    _finally(lambda: _states(session)["terminated"] == "aborted")
    assert [name for name in session.files() if name.startswith("terminated")] == []


def test_an_interrupted_export_says_so(session: ExportSession, begin: Callable[[str], subprocess.Popen[str]]) -> None:
    process = begin("interrupted")
    process.send_signal(signal.SIGINT)
    process.wait()
    assert _states(session)["interrupted"] == "failed"
    assert session.files() == []


def test_postgresql_restarted_during_an_export(
    session: ExportSession, begin: Callable[[str], subprocess.Popen[str]], postgres: LocalPostgres
) -> None:
    process = begin("cut")
    postgres.stop()
    try:
        with pytest.raises(InsightsError, match="Cannot connect to PostgreSQL"):
            session.export("tasks", output="meanwhile", user="anyone")
    finally:
        postgres.start()
    _, said = process.communicate("\n")
    assert process.returncode == 1
    assert said.startswith("The export was interrupted (")
    assert session.files() == []
    assert _states(session)["cut"] == "failed"  # the database was back when the failure was recorded
    assert session.export("tasks", output="again").rows > 0


def test_a_session_that_is_terminated_during_an_export(
    session: ExportSession, begin: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = begin("ended")
    session.warehouse.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and usename = 'orgo_insights_etl'"
    )
    _, said = process.communicate("\n")
    assert process.returncode == 1
    assert said.startswith("The export was interrupted (")
    assert (session.files(), _states(session)["ended"]) == ([], "failed")
