"""A real Airflow: started from nothing, run, killed, stopped and started again, on DAG files of the test's own."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from orchestration.errors import InsightsError
from orchestration.local import LocalAirflow, LocalPostgres, __main__, airflow, remove_state, state_root
from orchestration.local.airflow_api import AirflowApi
from orchestration.local.airflow_settings import choose_port, kept_secrets

needs_services = pytest.mark.services

DAG_FILE = '''\
"""DAGs for Airflow."""
from datetime import datetime

from airflow import DAG
from airflow.operators.bash import BashOperator

ARGUMENTS = {{"start_date": datetime(2026, 1, 1), "schedule": "* * * * *", "catchup": False}}
with DAG("quick", **ARGUMENTS):
    BashOperator(task_id="env", bash_command='test "$INSIGHTS_ENV" = prod', pool="insights_writer")
with DAG("patient", **ARGUMENTS):
    # The first try would take longer than any test waits.
    BashOperator(task_id="wait", bash_command='echo try >>"{tries}"; test "$(wc -l <"{tries}")" -gt 1 || sleep 3600')
'''
BROKEN_FILE = 'raise ValueError("this DAG file of Airflow is broken on purpose")\n'


@dataclass(frozen=True)
class Place:
    """The Airflow under test, its state folder, and the file in which DAG `patient` counts its tries."""

    airflow: LocalAirflow
    state: Path
    tries: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    top = tmp_path_factory.mktemp("airflow")
    state, dags, tries = state_root(top), top / "dags", top / "tries"
    dags.mkdir()
    (dags / "good.py").write_text(DAG_FILE.format(tries=tries))
    (dags / "broken.py").write_text(BROKEN_FILE)
    yield Place(LocalAirflow(state, dags, {"INSIGHTS_ENV": "prod"}), state, tries)
    state_root(top)  # `clean` may have removed it
    LocalAirflow(state, dags).stop()
    LocalPostgres(state).stop()
    remove_state(state)


@pytest.fixture
def running(place: Place) -> LocalAirflow:
    place.airflow.start()
    return place.airflow


@pytest.fixture
def api(running: LocalAirflow) -> AirflowApi:
    return AirflowApi(running)


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.2)


def pids_of(place: Place) -> set[int]:
    """The processes that have this AIRFLOW_HOME in their environment: counted without the code under test."""
    home = f"AIRFLOW_HOME={place.airflow.folder}\0".encode()
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if home in (process / "environ").read_bytes():
                found.add(int(process.name))
        except OSError:
            continue
    return found


def is_listening(url: str) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex((urlsplit(url).hostname, urlsplit(url).port)) == 0


@needs_services
def test_it_starts_healthy_and_closed_to_others(running: LocalAirflow) -> None:
    assert running.is_running()
    health = running.health()
    assert {part: health[part]["status"] for part in ("metadatabase", "scheduler")} == {
        "metadatabase": "healthy",
        "scheduler": "healthy",
    }
    assert urlsplit(running.url).hostname == "127.0.0.1"
    assert stat.S_IMODE(running.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((running.folder / "secrets.json").stat().st_mode) == 0o600
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{running.url}/api/v1/dags", timeout=10)  # noqa: S310 - http, see url


@needs_services
def test_a_dag_runs_when_it_is_triggered_and_not_by_its_schedule(api: AirflowApi) -> None:
    api.wait_for_dag("quick", 60)
    run = api.wait(api.trigger("quick", {}), 60)
    assert run.state == "success"
    assert api.tasks(run) == {"env": "success"}
    assert [other.run_id for other in api.runs("quick")] == [run.run_id]


@needs_services
def test_a_broken_dag_file_is_shown_and_the_others_live(api: AirflowApi) -> None:
    api.wait_for_dag("quick", 60)
    wait_until(lambda: bool(api.import_errors()))
    (error,) = api.import_errors().items()
    assert error[0].endswith("/broken.py")
    assert "ValueError: this DAG file of Airflow is broken on purpose" in error[1]
    assert api.dags() == ["patient", "quick"]
    with pytest.raises(InsightsError, match=r"(?s)no DAG broken after 0 s; import errors: .*on purpose"):
        api.wait_for_dag("broken", 0)
    with pytest.raises(InsightsError, match="404"):
        api.trigger("broken", {})


@needs_services
def test_what_a_killed_scheduler_left_queued_and_running_ends_green(place: Place, api: AirflowApi) -> None:
    api.wait_for_dag("patient", 60)
    interrupted = api.trigger("patient", {})
    wait_until(place.tries.exists)
    scheduler, webserver = place.airflow.pid("scheduler"), place.airflow.pid("webserver")
    assert scheduler
    before = pids_of(place)
    os.kill(scheduler, signal.SIGKILL)
    wait_until(lambda: place.airflow.pid("scheduler") is None)
    assert not place.airflow.is_running()
    queued = api.trigger("quick", {})
    assert queued.state == "queued"
    place.airflow.start()
    assert place.airflow.pid("webserver") == webserver
    assert api.wait(queued, 60).state == "success"
    assert api.wait(interrupted, 120).state == "success"
    assert place.tries.read_text() == "try\n" * 2
    # Of the killed one's workers none is left: what lives of `before` is the webserver with its own.
    with pytest.raises(ProcessLookupError):
        os.kill(scheduler, 0)
    for pid in before & pids_of(place):
        assert b"webserver" in Path(f"/proc/{pid}/cmdline").read_bytes()


@needs_services
def test_it_stops_whole_and_starts_again_with_users_keys_and_history(place: Place, api: AirflowApi) -> None:
    api.wait_for_dag("quick", 60)
    run = api.wait(api.trigger("quick", {}), 60)
    secrets, url = place.airflow.secrets, place.airflow.url
    place.airflow.stop()
    place.airflow.stop()
    assert pids_of(place) == set()
    assert not is_listening(url)
    assert place.airflow.health() == {}
    with pytest.raises(InsightsError, match="does not answer"):
        api.dags()
    # Stale pid files that name a living process of somebody else do no harm, and nor does a port that is taken.
    for name in ("scheduler.pid", "webserver.pid", "airflow-webserver.pid", "airflow-webserver-monitor.pid"):
        (place.airflow.folder / name).write_text(f"{os.getpid()}\n")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last connections to it are hardly closed
        taken.bind(("127.0.0.1", urlsplit(url).port or 0))
        taken.listen()
        assert not place.airflow.is_running()
        place.airflow.start()
    assert place.airflow.url != url
    assert place.airflow.secrets == secrets
    assert run.run_id in [kept.run_id for kept in AirflowApi(place.airflow).runs("quick") if kept.state == "success"]


@needs_services
def test_a_killed_webserver_is_replaced_and_clean_removes_all(
    place: Place, running: LocalAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(__main__, "state_root", lambda project: place.state)
    url, webserver = running.url, running.pid("webserver")
    assert webserver
    os.kill(webserver, signal.SIGKILL)
    wait_until(lambda: running.pid("webserver") is None)
    running.start()
    assert running.url == url  # although the killed one's workers had held the port
    assert is_listening(url)
    assert __main__.main(["clean"]) == 0
    assert pids_of(place) == set()
    assert not place.state.exists()
    assert not running.is_running()


def test_the_secrets_are_made_once_and_differ_between_two_airflows(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    made = kept_secrets(first)
    assert kept_secrets(first) == made
    assert len({*vars(made).values(), *vars(kept_secrets(second)).values()}) == 6


def test_a_port_is_kept_while_it_is_free(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "port").write_text(f"{port}\n")
        other = choose_port(tmp_path)
        assert other != port
    assert choose_port(tmp_path) == other


def test_a_missing_airflow_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(InsightsError, match=r"setup --dev.*requirements/airflow\.txt"):
        airflow.LocalAirflow(tmp_path, tmp_path).start()
