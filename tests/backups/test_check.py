"""`insights backup check` on a real server: nothing to do while archiving works, and what is wrong once it does not."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.backups.server import KEY, Backed

from orchestration.backups.check import check
from orchestration.backups.recorded import BackupRun, Drill, newest_runs, record_drill, record_run
from orchestration.backups.run import dump_airflow, run
from orchestration.cli import commands
from orchestration.config.files import load_settings
from orchestration.errors import FailedError, MisconfiguredError
from orchestration.monitoring.backup_figures import backups
from orchestration.monitoring.findings import Finding
from orchestration.warehouse.connection import connect
from workshop.services import LocalPostgres

pytest_plugins = ["support.backups.fixtures"]
pytestmark = pytest.mark.services

NOBODY = 65534
AIRFLOW = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def found(backed: Backed, minutes: float = 0) -> dict[str, Finding]:
    """Return the findings as of some minutes from now."""
    with backed.opened() as db:
        return {f.check: f for f in check(db, backed.now() + timedelta(minutes=minutes))}


def figures(backed: Backed) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the values of each metric by those of its labels."""
    with backed.opened() as db:
        return {m.name: {tuple(s.labels.values()): s.value for s in m.samples} for m in backups(db)}


def finished(backed: Backed) -> None:
    """Record what the schedule of prod makes: an incremental backup, a dump, a drill."""
    with backed.opened() as db:
        for kind in ("incremental", "airflow"):
            record_run(db, BackupRun(kind, backed.now(), "label", 1))
        record_drill(db, Drill(backed.now(), rpo_seconds=1, rto_seconds=60, relations_compared=1))


def test_what_is_in_time_is_in_order(backed: Backed) -> None:
    finished(backed)
    backed.archive()
    states = found(backed)
    assert {name: f for name, f in states.items() if f.state != "ok"} == {}
    assert set(states) == {
        *("data loss", "archiver", "archive_timeout", "full", "incremental", "airflow", "drill", "repository"),
    }
    assert states["repository"].says.startswith("1 full and ")
    result = CliRunner().invoke(commands, ["doctor", "--format", "json"])
    assert [f["state"] for f in json.loads(result.output) if f["check"] == "backups"] == ["ok"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_told_what_was_not_looked_at(backed: Backed) -> None:
    finished(backed)
    backed.archive()
    with backed.opened() as db:  # its socket is closed to others here
        os.seteuid(NOBODY)
        try:
            states = {f.check: f for f in check(db)}
        finally:
            os.seteuid(0)
    configuration = backed.directory / "pgbackrest.conf"
    assert states["repository"].says == f"not looked at: user {NOBODY} can read no {configuration} here"
    assert {f.state for f in states.values()} == {"ok"}


def test_what_is_late_is_named_with_its_command(backed: Backed) -> None:
    finished(backed)
    # Two hours for an incremental backup, five for a dump, thirty for a full one, a month and a quarter for a drill.
    for hours, late in ((1.9, set()), (2.1, {"incremental"}), (5.1, {"incremental", "airflow"})):
        states = found(backed, hours * 60)
        kinds = ("full", "incremental", "airflow", "drill")
        assert {name for name in kinds if states[name].state != "ok"} == late
        assert all(states[name].remedy == f"Run: insights backup run {name}" for name in late)
    assert {name for name, f in found(backed, 40 * 24 * 60).items() if f.state != "ok"} >= {"full", "drill"}


def test_twenty_minutes_after_archiving_broke_it_says_what_a_loss_would_lose(backed: Backed) -> None:
    finished(backed)
    backed.archive()
    assert figures(backed)["insights_backup_unarchived_seconds"] == {(): 0}
    configuration = backed.directory / "pgbackrest.conf"
    hidden = configuration.with_name("hidden.conf")
    configuration.rename(hidden)
    try:
        backed.warehouse.execute("create table public.unarchived as select 1 as one")
        with connect(backed.warehouse.admin_url, autocommit=True) as connection:
            connection.execute("select pg_switch_wal()")
        backed.warehouse.wait_for("select last_failed_time > last_archived_time from pg_stat_archiver")
        states = found(backed, 20)
        assert states["data loss"].state == "broken"
        # The newest segment was archived some seconds before the fault.
        assert states["data loss"].says.startswith("a loss of the server loses 20.")
        assert "15 are allowed" in states["data loss"].says
        assert states["archiver"].state == "attention"
        assert "failing since" in states["archiver"].says
        assert "archive_command" in states["data loss"].remedy
        assert found(backed, 10)["data loss"].state == "ok"
        assert figures(backed)["insights_backup_archive_failures"][()] > 0
        assert figures(backed)["insights_backup_unarchived_seconds"][()] > 0
    finally:
        hidden.rename(configuration)
    backed.warehouse.wait_for("select last_archived_time > last_failed_time from pg_stat_archiver")
    assert found(backed)["archiver"].state == "ok"


def test_a_failed_backup_is_recorded_with_its_reason(backed: Backed) -> None:
    repository, aside = backed.repository, backed.repository.with_name("aside")
    backed.archive()
    repository.rename(aside)
    repository.touch()  # a file, so that pgBackRest cannot make the folder again
    try:
        with pytest.raises(FailedError, match="pgBackRest could not stanza-create"):
            run(backed.settings, "incremental")
    finally:
        repository.unlink()
        aside.rename(repository)
    with backed.opened() as db:
        known = newest_runs(db)["incremental"]
    assert known.failure
    assert known.failure.startswith("pgBackRest could not stanza-create")
    assert "the last attempt failed: pgBackRest" in found(backed)["incremental"].says
    assert figures(backed)["insights_backup_failures"][("incremental",)] == known.failures > 0
    result = CliRunner().invoke(commands, ["backup", "run", "incremental", "--format", "json"])
    assert result.exit_code == 0, result.output
    (made,) = json.loads(result.stdout)
    assert made["label"].endswith("I")
    assert found(backed)["incremental"].state == "ok"
    assert figures(backed)["insights_backup_is_late"][("incremental",)] == 0


def test_figures_are_those_of_the_last_runs(backed: Backed) -> None:
    finished(backed)
    shown = figures(backed)
    assert shown["insights_backup_rpo_seconds"] == {(): 900}
    assert shown["insights_backup_rto_seconds"] == {(): 3600}
    assert shown["insights_backup_drill_rto_seconds"] == {(): 60}
    assert shown["insights_backup_drill_succeeded"] == {(): 1}
    assert shown["insights_backup_is_late"] == {("full",): 0, ("incremental",): 0, ("airflow",): 0}
    newest = backed.warehouse.value("select max(ended_at) from insights_ops.backup_runs where kind = 'full'")
    assert shown["insights_backup_timestamp_seconds"][("full",)] == pytest.approx(newest.timestamp())


def test_the_repository_has_nothing_in_clear(backed: Backed) -> None:
    backed.archive()
    files = [path for path in backed.repository.rglob("*") if path.is_file()]
    assert files
    for path in files:
        if not path.is_symlink():
            assert path.read_bytes()[:8] == b"Salted__", path  # OpenSSL's mark of an encrypted file


def test_airflows_metadata_is_dumped_and_old_dumps_leave(
    backed: Backed, postgres: LocalPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.create_database("metadata")
    url = postgres.url("metadata", "postgres")
    with connect(url) as connection:
        connection.execute("create table dag_run as select n as id from generate_series(1, 7) as n")
    monkeypatch.setenv(AIRFLOW, url.replace("postgresql://", "postgresql+psycopg2://"))
    with pytest.raises(MisconfiguredError, match="set INSIGHTS_BACKUP_AIRFLOW_DIR"):
        run(backed.settings, "airflow")
    monkeypatch.setenv("INSIGHTS_BACKUP_AIRFLOW_DIR", str(tmp_path / "dumps"))
    left = [tmp_path / f"dumps/airflow-2026010{day}T000000Z.part" for day in (1, 2)]  # by dumps that were killed
    left[0].parent.mkdir()
    for part, hours in zip(left, (25, 23), strict=True):
        part.touch()
        os.utime(part, (0, (backed.now() - timedelta(hours=hours)).timestamp()))
    first, size = dump_airflow(backed.settings, backed.now() - timedelta(days=31))
    os.utime(tmp_path / "dumps" / first, (0, (backed.now() - timedelta(days=31)).timestamp()))
    second, _ = dump_airflow(backed.settings, backed.now() - timedelta(days=29))
    # Where the address is in a file, Airflow has a command in another variable; it is run without a shell.
    (tmp_path / "address").write_text(f"{os.environ[AIRFLOW]}\n", "utf-8")
    monkeypatch.delenv(AIRFLOW)
    monkeypatch.setenv(f"{AIRFLOW}_CMD", f"cat '{tmp_path / 'address'}'")
    made = run(backed.settings, "airflow")
    assert made.label
    assert sorted(path.name for path in (tmp_path / "dumps").iterdir()) == sorted([second, made.label, left[1].name])
    dump = (tmp_path / "dumps" / made.label).read_bytes()
    assert dump[:5] == b"PGDMP"
    assert b"dag_run" in dump
    assert size > 0
    for variable, value, says in (
        (f"{AIRFLOW}_CMD", "cat /nowhere", rf"{AIRFLOW}_CMD printed no address \(exit code 1\): .*/nowhere"),
        (f"{AIRFLOW}_CMD", "/nowhere/cat", f"The command of {AIRFLOW}_CMD cannot be run"),
        (AIRFLOW, "mysql://airflow@db/airflow", "only metadata in PostgreSQL can be dumped"),
        (AIRFLOW, "postgresql+psycopg2://airflow@[db/airflow", f"^{AIRFLOW} cannot be read"),
    ):
        monkeypatch.setenv(variable, value)
        with pytest.raises(MisconfiguredError, match=says):
            run(backed.settings, "airflow")


def test_a_failure_that_cannot_be_recorded_keeps_its_reason(backed: Backed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INSIGHTS_BACKUP_AIRFLOW_DIR", raising=False)
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", "postgresql://etl@127.0.0.1:1/x")
    with pytest.raises(MisconfiguredError, match=r"AIRFLOW_DIR to an .* This could not be recorded: Cannot connect to"):
        run(load_settings(), "airflow")


def test_a_dump_that_is_told_to_end_ends_and_leaves_nothing(
    backed: Backed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a server that never answers
        port = silent.getsockname()[1]
        monkeypatch.setenv("INSIGHTS_BACKUP_AIRFLOW_DIR", str(tmp_path / "dumps"))
        monkeypatch.setenv(AIRFLOW, f"postgresql://airflow@127.0.0.1:{port}/airflow")
        command = [str(Path(sys.executable).with_name("insights")), "backup", "run", "airflow"]
        with subprocess.Popen(command) as process:
            connection, _ = silent.accept()  # of pg_dump
            assert len(list((tmp_path / "dumps").glob("*.part"))) == 1
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 128 + signal.SIGTERM
        connection.settimeout(60)
        with connection:
            while connection.recv(4096):  # pg_dump has ended when nothing more can come
                pass
    assert list((tmp_path / "dumps").iterdir()) == []


@pytest.mark.parametrize(("environment", "state"), [("dev", "ok"), ("offline", "ok"), ("prod", "attention")])
def test_without_a_repository_nothing_is_expected_and_prod_is_told(
    environment: str, state: str, backed: Backed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", environment)
    monkeypatch.delenv("INSIGHTS_BACKUP_REPOSITORY")
    backed.warehouse.execute("alter table insights_ops.backup_runs rename to aside")
    backed.warehouse.execute("create table insights_ops.backup_runs (like insights_ops.aside including all)")
    backed.warehouse.execute("grant select on insights_ops.backup_runs to orgo_insights_etl")
    try:
        result = CliRunner().invoke(commands, ["backup", "check", "--format", "json"])
    finally:
        backed.warehouse.execute("drop table insights_ops.backup_runs")
        backed.warehouse.execute("alter table insights_ops.aside rename to backup_runs")
    assert [finding["state"] for finding in json.loads(result.output)] == [state]
    assert result.exit_code == (0 if state == "ok" else 3)
    assert KEY not in result.output
