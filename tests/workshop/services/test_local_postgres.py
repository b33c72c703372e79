"""Test the private PostgreSQL: start, stop, recovery after kills, and isolation between checkouts."""

import os
import signal
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from support.workshop.local_servers import postmaster, query_value, wait_until

from orchestration.errors import InsightsError
from workshop.services import LocalPostgres, LocalRedis, processes, remove_state, state_root
from workshop.services.account import service_account

pytest_plugins = ["support.workshop.local_servers"]
needs_services = pytest.mark.services


@pytest.fixture
def postgres(state: Path) -> LocalPostgres:
    server = LocalPostgres(state)
    server.start()
    return server


@needs_services
def test_postgres_starts_and_stops_repeatedly_and_keeps_its_data(postgres: LocalPostgres) -> None:
    query_value(postgres, "create table kept as select 7 as seven")
    first = postmaster(postgres)
    postgres.start()
    assert postgres.is_running()
    assert postmaster(postgres) == first
    postgres.stop()
    postgres.stop()
    assert not postgres.is_running()
    postgres.start()
    assert postmaster(postgres) != first
    assert query_value(postgres, "select seven from kept") == 7


@needs_services
def test_postgres_15_accepts_options_and_listens_on_a_private_socket_only(state: Path) -> None:
    server = LocalPostgres(state, {"max_connections": "17", "log_line_prefix": "it's "})
    server.start()
    assert str(query_value(server, "show server_version")).split(".")[0] == "15"
    shown = {"listen_addresses": "", "TimeZone": "UTC", "max_connections": "17", "log_line_prefix": "it's "}
    assert {name: query_value(server, f"show {name}") for name in shown} == shown
    assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700


@needs_services
def test_an_invalid_setting_is_reported_with_the_message_of_postgres(state: Path) -> None:
    with pytest.raises(InsightsError, match=r'(?s)does not start.*invalid value for parameter "max_connections"'):
        LocalPostgres(state, {"max_connections": "many"}).start()


@needs_services
def test_postgres_starts_again_after_its_postmaster_was_killed(postgres: LocalPostgres) -> None:
    query_value(postgres, "create table kept as select 7 as seven")
    with closing(psycopg.connect(postgres.url("postgres", "postgres"))) as busy:
        # A backend in an endless loop survives the postmaster and keeps the shared memory.
        busy.pgconn.send_query(b"do $$ begin loop null; end loop; end $$")
        os.kill(postmaster(postgres), signal.SIGKILL)
        wait_until(lambda: not postgres.is_running())
        postgres.start()
    assert query_value(postgres, "select seven from kept") == 7


def test_a_process_has_ended_when_it_is_a_zombie_or_gone() -> None:
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        assert not processes.has_ended(sleeper.pid)
        sleeper.kill()
        wait_until(lambda: processes.has_ended(sleeper.pid))  # still a zombie
    assert processes.has_ended(sleeper.pid)


@needs_services
def test_stale_pid_files_with_the_id_of_a_live_process_are_ignored(postgres: LocalPostgres) -> None:
    postgres.stop()
    account = service_account()
    with subprocess.Popen(["sleep", "600"], user=account.user, group=account.group) as sleeper:
        for name in ("data/postmaster.pid", ".s.PGSQL.5432.lock"):
            (postgres.socket_dir / name).write_text(f"{sleeper.pid}\n{postgres.socket_dir / 'data'}\n1\n5432\n\n\n\n")
        assert not postgres.is_running()
        postgres.stop()
        postgres.start()
        assert query_value(postgres, "select 1") == 1
        assert sleeper.poll() is None
        sleeper.kill()


@needs_services
def test_a_half_finished_initdb_is_recovered(state: Path) -> None:
    # Path.rename blocks, so the folder still has its temporary name when the process is killed.
    script = "import time; from pathlib import Path; from workshop.services import *;"
    script += f" Path.rename = lambda *_: time.sleep(600); LocalPostgres(Path('{state}')).start()"
    with subprocess.Popen([sys.executable, "-c", script], start_new_session=True) as starter:
        wait_until(lambda: any((state / "postgres").glob("new-*/PG_VERSION")))
        os.killpg(starter.pid, signal.SIGKILL)
    server = LocalPostgres(state)
    assert not server.is_running()
    server.start()
    assert query_value(server, "select 1") == 1
    assert not list((state / "postgres").glob("new-*"))


@needs_services
def test_a_database_with_special_characters_is_created_once(postgres: LocalPostgres) -> None:
    name = 'o\'r "g"/o'
    postgres.create_database(name)
    postgres.create_database(name)
    assert query_value(postgres, "select current_database()", name) == name


def test_the_url_encodes_every_part() -> None:
    url = LocalPostgres(Path("/srv/a b")).url("d/b", "u@x")
    assert url == "postgresql://u%40x@/d%2Fb?host=%2Fsrv%2Fa%20b%2Fpostgres"
    assert LocalRedis(Path("/srv/a b")).url() == "unix:///srv/a%20b/redis/socket?db=1"


@needs_services
def test_two_checkouts_do_not_share_servers(postgres: LocalPostgres, tmp_path: Path) -> None:
    other = LocalPostgres(state_root(tmp_path / "other"))
    try:
        assert not other.is_running()
        other.stop()
        assert postgres.is_running()
        other.start()
        other.create_database("only_here")
        assert query_value(postgres, "select count(*) from pg_database where datname = 'only_here'") == 0
    finally:
        other.stop()
        remove_state(state_root(tmp_path / "other"))
    assert postgres.is_running()
