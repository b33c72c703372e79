"""Makes a backup: of the server of the warehouse by pgBackRest, of Airflow's metadata by pg_dump (section 2.2)."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.backups.program import Account, PgBackRest, client_program, last_lines
from orchestration.backups.recorded import BackupRun, record_run
from orchestration.backups.schedule import Kind
from orchestration.config.settings import Settings
from orchestration.config.variables import AIRFLOW_DATABASE, AIRFLOW_DATABASE_BEFORE, BACKUP_AIRFLOW_DIR
from orchestration.errors import FailedError, InsightsError, MisconfiguredError
from orchestration.progress import Progress
from orchestration.supervision import stopping_raises
from orchestration.warehouse.connection import libpq_environment
from orchestration.warehouse.database import Database

PGBACKREST_TYPES = {"full": "full", "incremental": "incr"}
DUMP_PREFIX, DUMP_SUFFIX, UNFINISHED = "airflow-", ".dump", ".part"
ABANDONED = timedelta(days=1)  # the age of a file of an unfinished dump into which nothing is written any more
STEPS = 3


def run(settings: Settings, kind: Kind, progress: Progress | None = None) -> BackupRun:
    """Make a backup, record it in `insights_ops.backup_runs`, and return it; `offline` may do so by hand too.

    Raises FailedError with the message of pgBackRest or pg_dump, after it was recorded, and MisconfiguredError for
    what is missing or wrong. A signal that ends this process ends their work too, and is not recorded.
    """
    started = datetime.now(UTC)
    make: Callable[[], tuple[str, int]] = (
        (lambda: dump_airflow(settings, started)) if kind == "airflow" else (lambda: _back_up(settings, kind, progress))
    )
    try:
        with stopping_raises():
            label, size = make()
    except InsightsError as error:
        try:
            with Database.open(settings) as db:
                record_run(db, BackupRun(kind, started, failure=str(error)))
        except InsightsError as second:
            raise error.extended(f"This could not be recorded: {second}") from error
        raise
    made = BackupRun(kind, started, label, size)
    try:
        with Database.open(settings) as db:
            record_run(db, made)
    except InsightsError as error:
        raise error.extended(f"The backup {label} was made, and could not be recorded.") from error
    return made


def _back_up(settings: Settings, kind: Kind, progress: Progress | None) -> tuple[str, int]:
    """Return label and size of a new backup of the server; an incremental one without a full one before it is full."""
    tool = PgBackRest.of(settings)
    for number, (command, options, doing) in enumerate(
        (
            ("stanza-create", (), "looking at the repository"),
            ("backup", (f"--type={PGBACKREST_TYPES[kind]}",), "copying what has changed"),
        )
    ):
        if progress:
            progress(number, STEPS, doing)
        tool.run(command, *options)
    if progress:
        progress(STEPS - 1, STEPS, "reading the repository")
    newest: dict[str, Any] = tool.info()["backup"][-1]
    if newest.get("error"):
        raise FailedError(
            f"The backup {newest['label']} has pages with wrong checksums: the disk of the server or its data are"
            " damaged. Look at PostgreSQL's log, and keep the backup before it."
        )
    return str(newest["label"]), int(newest["info"]["repository"]["delta"])


def dump_airflow(settings: Settings, now: datetime) -> tuple[str, int]:
    """Return name and size of a new dump of Airflow's metadata; remove dumps older than `backups.keep_days`.

    The newest dump is never removed. Raises like `run`.
    """
    folder, url = airflow_directory(settings), _airflow_url()
    account = Account(os.geteuid(), os.getegid())
    target = folder / f"{DUMP_PREFIX}{now:%Y%m%dT%H%M%SZ}{DUMP_SUFFIX}"
    unfinished = target.with_suffix(UNFINISHED)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.touch(mode=0o600)
        # The password is in the environment of pg_dump, not in its command line, which every user can read.
        variables = libpq_environment(url, AIRFLOW_DATABASE)
        for command in (
            [client_program("pg_dump"), "--format=custom", f"--file={unfinished}"],
            [client_program("pg_restore"), "--list", unfinished],
        ):
            done = account.run(command, variables)
            if done.returncode != 0:
                raise FailedError(f"Airflow's metadata could not be dumped:\n{last_lines(done.stderr)}")
        unfinished.rename(target)
    except OSError as error:
        raise FailedError(f"{error.filename or folder} cannot be written: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    oldest = now - timedelta(days=settings.insights.backups.keep_days)
    for dump in folder.glob(f"{DUMP_PREFIX}*{DUMP_SUFFIX}"):
        if dump != target and dump.stat().st_mtime < oldest.timestamp():
            dump.unlink()
    # Of dumps that were killed: they are not encrypted.
    for part in folder.glob(f"{DUMP_PREFIX}*{UNFINISHED}"):
        if part.stat().st_mtime < (now - ABANDONED).timestamp():
            part.unlink()
    return target.name, target.stat().st_size


def airflow_directory(settings: Settings) -> Path:
    """Return the folder for dumps; raises MisconfiguredError if it is not set or not an absolute path."""
    text = settings.backup_airflow_directory
    if text is None:
        raise MisconfiguredError(
            f"insights.backups.airflow_directory is not set: set {BACKUP_AIRFLOW_DIR} to an absolute path on another"
            " disk or machine, such as /srv/backups/airflow."
        )
    if not Path(text).is_absolute():
        raise MisconfiguredError(f"{BACKUP_AIRFLOW_DIR} is {text!r}: must be an absolute path.")
    return Path(text)


def _airflow_url() -> str:
    """Return the address of Airflow's metadata, from the variable or the command of its `_CMD`, as Airflow does."""
    names = (AIRFLOW_DATABASE, AIRFLOW_DATABASE_BEFORE)
    given = next((value for name in names if (value := os.environ.get(name) or _printed(f"{name}_CMD"))), None)
    if given is None:
        raise MisconfiguredError(
            f"{AIRFLOW_DATABASE} is not set, nor {AIRFLOW_DATABASE}_CMD: one must be that of Airflow's scheduler."
        )
    scheme, sign, rest = given.partition("://")
    if not sign or scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise MisconfiguredError(
            f"{AIRFLOW_DATABASE} begins with {scheme}: only metadata in PostgreSQL can be dumped; back up other"
            " databases with their own tools."
        )
    return f"postgresql://{rest}"


def _printed(name: str) -> str | None:
    """Return what the command in a variable prints, which is run without a shell; None if the variable is not set."""
    command = os.environ.get(name)
    if not command:
        return None
    try:
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
    except (OSError, ValueError) as error:
        raise MisconfiguredError(f"The command of {name} cannot be run: {error}.") from error
    if done.returncode != 0 or not done.stdout.strip():
        raise MisconfiguredError(
            f"The command of {name} printed no address (exit code {done.returncode}): {last_lines(done.stderr)}"
        )
    return done.stdout.strip()
