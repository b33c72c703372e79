"""Test the private Redis, and the command for both private services."""

import os
import signal
import sys
from pathlib import Path

import pytest
import redis
from support.workshop.local_servers import wait_until

from workshop.services import LocalPostgres, LocalRedis, __main__, state_root

pytest_plugins = ["support.workshop.local_servers"]
needs_services = pytest.mark.services


@needs_services
def test_redis_starts_stops_and_persists_nothing(state: Path) -> None:
    server = LocalRedis(state)
    server.start()
    with redis.from_url(server.url()) as client:
        client.set("key", "value")
        first = client.info("server")["run_id"]
        server.start()
        assert client.info("server")["run_id"] == first
        assert client.get("key") == b"value"
        assert client.config_get("port") == {"port": "0"}
        assert client.info("server")["redis_version"].split(".")[0] == "7"
    server.stop()
    server.stop()
    assert not server.is_running()
    server.start()
    with redis.from_url(server.url()) as client:
        assert client.get("key") is None


@needs_services
def test_redis_starts_again_after_it_was_killed(state: Path) -> None:
    server = LocalRedis(state)
    server.start()
    with redis.from_url(server.url()) as client:
        os.kill(client.info("server")["process_id"], signal.SIGKILL)
    wait_until(lambda: not server.is_running())
    server.start()
    with redis.from_url(server.url()) as client:
        assert client.ping()


@needs_services
def test_exec_runs_a_program_and_stops_the_server_afterwards(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(__main__, "PROJECT", tmp_path)
    monkeypatch.setenv("PGPORT", "1")
    script = "import psycopg, sys; sys.exit(psycopg.connect().execute('select 40 + 2').fetchone()[0])"
    assert __main__.main(["exec", "scratch", "--", sys.executable, "-c", script]) == 42
    assert not LocalPostgres(state).is_running()


@needs_services
def test_start_status_and_clean_of_both_services(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(__main__, "PROJECT", tmp_path)
    assert __main__.main(["start"]) == 0
    assert __main__.main(["status"]) == 0
    assert capsys.readouterr().out.count("  running  ") == 4
    assert __main__.main(["clean"]) == 0
    assert not state.exists()
    assert __main__.main(["clean"]) == 0
    state_root(tmp_path)  # the fixture's teardown needs the folder
