"""A full backup and a drill that restores it, starts it and tests its data, beside a copy of the server's files."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch

import yaml

from benchmarks.errors import BenchmarkError
from benchmarks.measure import Comparison, Measurement, once
from benchmarks.services import BUILT, SERVER, Bench
from benchmarks.sizes import FIRST_DAY
from orchestration.backups.configure import plan, write
from orchestration.backups.drill import drill
from orchestration.backups.run import run as back_up
from orchestration.config.files import CONFIG_FILE, PROJECT, Settings, load_settings
from orchestration.warehouse.connection import connect, open_session
from orchestration.warehouse.database import Database
from workshop.services import LocalPostgres
from workshop.services.pgbackrest import program_for_the_server

NAME = "drill"
FLOOR = "cp of the server's files"
ARCHIVED_SECONDS = 600


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield the backup, then a drill with the changes of a day that were archived after it.

    The server has nothing but this warehouse then: what other benchmarks copy is made again if they need it.
    """
    bench.copy(BUILT, NAME)
    bench.forget()
    state = bench.server.socket_dir.parent
    folder = state / "copied"
    with _archiving(bench, state) as settings:
        compared = Comparison(NAME, "full backup", bench.size, FLOOR)
        yield once(compared, partial(_backup, bench, settings), partial(_copy, bench, folder))
        bench.touch(NAME, FIRST_DAY + timedelta(days=1))
        _archive(bench)
        compared = Comparison(NAME, "drill", bench.size, FLOOR)
        yield once(compared, partial(_drill, bench, settings), partial(_copy, bench, folder))
    bench.drop(NAME)


@contextmanager
def _archiving(bench: Bench, state: Path) -> Iterator[Settings]:
    """Let the server archive as `insights backup configure` says, for a block; yields the settings of the backups."""
    programs = program_for_the_server(state)
    document = yaml.safe_load((PROJECT / CONFIG_FILE).read_text("utf-8"))
    document["insights"]["backups"] |= {"directory": str(state / "backup")}
    (state / "config.yaml").write_text(yaml.safe_dump(document), "utf-8")
    variables = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "INSIGHTS_CONFIG": str(state / "config.yaml"),
        "INSIGHTS_WAREHOUSE_URL": bench.etl_url(NAME),
        "INSIGHTS_BACKUP_REPOSITORY": str(state / "repository"),
    }
    with patch.dict(os.environ, variables):
        settings = load_settings()
        with open_session(bench.admin_url(NAME), autocommit=True) as connection:
            write(plan(settings, Database(settings, connection)))
        included = {"max_wal_senders": "3", "include": str(state / "backup/postgresql.conf")}
        bench.restart(LocalPostgres(state, SERVER | included))
        yield settings
        bench.restart(LocalPostgres(state, SERVER))


def _archive(bench: Bench) -> None:
    """Wait until all changes so far are archived; raises BenchmarkError after ten minutes."""
    with connect(bench.admin_url(NAME), autocommit=True) as connection:
        # Recovery ends at a commit, so there must be one.
        connection.execute("create table public.archived_until as select now() as moment")
        ((wanted,),) = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchall()
        deadline = time.monotonic() + ARCHIVED_SECONDS
        archived = "select coalesce(last_archived_wal, '') >= %s from pg_stat_archiver"
        while connection.execute(archived, [wanted]).fetchone() != (True,):
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{NAME}: {wanted} is not archived.")
            time.sleep(0.05)


def _backup(bench: Bench, settings: Settings) -> Measurement:
    with bench.measured(NAME) as found:
        made = back_up(settings, "full")
    found.figures = {"MB in the repository": (made.byte_count or 0) / 1e6}
    return found


def _drill(bench: Bench, settings: Settings) -> Measurement:
    """Drill; `rows` are the relations whose rows were compared, the figures the RPO, the RTO and each step of it."""
    with bench.measured(NAME) as found:
        done = drill(settings)
    if done.failure:
        raise BenchmarkError(f"The drill failed: {done.failure}")
    steps = {f"{step} s": seconds for step, seconds in done.step_seconds.items()}
    found.figures = {"RPO s": done.rpo_seconds or 0.0, "RTO s": done.rto_seconds, **steps}
    found.rows = done.relations_compared
    return found


def _copy(bench: Bench, folder: Path) -> Measurement:
    """Copy the files of the running server: the bytes that any backup or restore has to write."""
    data = bench.server.socket_dir / "data"
    with bench.measured(NAME) as found:
        subprocess.run(["cp", "-r", str(data), str(folder)], check=True, capture_output=True)
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    return found
