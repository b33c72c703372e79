"""A server of its own for a restored backup, in a folder that is removed; it touches nothing of the real one."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from orchestration.backups.program import Account, PgBackRest, last_lines, postgres_program
from orchestration.errors import FailedError, MisconfiguredError, UnavailableError
from orchestration.warehouse.connection import connect

PORT = 5432  # only part of the socket's file name; it does not listen on TCP
LONGEST_SOCKET = 107
SOCKET_NAME = f".s.PGSQL.{PORT}.lock"
PATIENCE_SECONDS = 600  # of pg_ctl
POLL_SECONDS = 0.2
REMOVE_SECONDS = 30
NOT_REACHED = "recovery ended before configured recovery target was reached"  # PostgreSQL's words, with LC_ALL=C
PREFIX = "orgo-insights-drill-"
# What the real server does must not be done twice: archive, replicate, run jobs of extensions, listen.
QUIET = {
    "listen_addresses": "",
    "port": str(PORT),
    "archive_mode": "off",
    "hot_standby": "off",  # or the limits of the real server would have to be known
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "max_logical_replication_workers": "0",
    "ssl": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "external_pid_file": "",
    # ALTER SYSTEM of the real server may have given it nearly all of the memory, which both need at the same time.
    "shared_buffers": "256MB",
    "huge_pages": "off",
    "synchronous_standby_names": "",
    "cluster_name": "orgo-insights-drill",
}


class TargetNotReachedError(FailedError):
    """The archive has no transaction that is later than the time to restore to."""


@dataclass(frozen=True)
class Scratch:
    """A folder for a restored server."""

    folder: Path
    tool: PgBackRest

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def restore(self, target: datetime | None) -> None:
        """Restore the data up to a time, or all that is archived; raises FailedError with pgBackRest's message.

        Tablespaces are restored in the folder too.
        """
        options = [
            f"--pg1-path={self.data}",
            f"--tablespace-map-all={self.folder / 'tablespaces'}",
            "--archive-mode=off",
        ]
        if target:
            options += ["--type=time", f"--target={target.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f+00}"]
            options += ["--target-action=promote"]
        self.tool.run("restore", *options)

    def start(self, database: str, user: str) -> str:
        """Start the server, wait until its recovery has ended, and return the address of a database for a user.

        Nobody needs a password there. Raises FailedError with the end of its log if it ends, TargetNotReachedError if
        nothing later than the target is archived.
        """
        files = {"config_file": "", "hba_file": "local all all trust\n", "ident_file": ""}
        for name, text in files.items():
            path = self.folder / name
            path.write_text(text, "utf-8")
            self.tool.account.own(path, 0o600)
        places = {name: str(self.folder / name) for name in files} | {"unix_socket_directories": str(self.folder)}
        done = self._pg_ctl("start", _options(QUIET | places))
        if done is not None and NOT_REACHED not in self._log():
            raise FailedError(f"The restored server did not start: {done}\n{last_lines(self._log())}")
        url = f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={quote(str(self.folder), safe='')}"
        while not _answers(url):  # pg_ctl does not wait for the end of a recovery
            if not self._pid.exists():
                log = self._log()
                kind = TargetNotReachedError if NOT_REACHED in log else FailedError
                raise kind(f"The restored server ended during its recovery:\n{last_lines(log)}")
            time.sleep(POLL_SECONDS)
        return url

    def clear(self) -> None:
        """Empty the folder for another restore; the server must not run."""
        for path in (self.data, self.folder / "tablespaces"):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
            self.tool.account.own(path, 0o700)
        (self.folder / "log").unlink(missing_ok=True)

    def stop(self) -> None:
        """End the server, if it runs; raises FailedError if it does not end.

        Only a server that works in this folder is ended: a file that names the process of another one, such as in a
        copy of a data folder, ends nothing.
        """
        if self._runs() and (message := self._pg_ctl("stop", ["-m", "immediate"])) and self._runs():
            raise FailedError(f"The restored server in {self.data} could not be stopped: {message}")

    def _runs(self) -> bool:
        try:
            process = int(self._pid.read_text("utf-8").splitlines()[0])
            return process > 0 and Path(f"/proc/{process}/cwd").readlink() == self.data.resolve()
        except (OSError, ValueError, IndexError):
            return False

    @property
    def _pid(self) -> Path:
        return self.data / "postmaster.pid"

    def _pg_ctl(self, command: str, options: list[str]) -> str | None:
        """Run pg_ctl and return its message if it fails."""
        try:
            version = int((self.data / "PG_VERSION").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise FailedError(f"{self.data} is no restored server: PG_VERSION cannot be read.") from error
        program = postgres_program("pg_ctl", version)
        log = self.folder / "log"
        words = [program, command, "-D", self.data, "-w", "-t", str(PATIENCE_SECONDS)]
        words += ["-l", log] if command == "start" else []
        done = self.tool.account.run([*words, *options])
        return (done.stderr or done.stdout).strip() if done.returncode else None

    def _log(self) -> str:
        path = self.folder / "log"
        return path.read_text("utf-8", errors="replace") if path.exists() else "(no log)"


@contextmanager
def scratch(tool: PgBackRest, parent: Path, bytes_needed: int) -> Iterator[Scratch]:
    """Yield a scratch folder below `parent`; at the end, stop its server and remove it.

    Raises MisconfiguredError if there is no room for so many bytes, or if the path is too long for a socket.
    """
    free = shutil.disk_usage(parent).free
    if free < bytes_needed:
        raise MisconfiguredError(
            f"A drill needs {bytes_needed / 2**30:.1f} GiB below {parent} (insights.backups.directory, or --scratch),"
            f" where {free / 2**30:.1f} GiB are free."
        )
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    try:
        if len(str(folder / SOCKET_NAME).encode()) > LONGEST_SOCKET:
            raise MisconfiguredError(f"{folder} is too long a path for a socket: choose a shorter one with --scratch.")
        tool.account.own(folder, 0o700)
        made = Scratch(folder, tool)
        made.clear()
        try:
            yield made
        finally:
            made.stop()
    finally:
        remove(folder)


def remove_leftovers(tool: PgBackRest, parent: Path) -> None:
    """Stop and remove what killed drills left below `parent`; no other drill may run.

    What belongs neither to the account of PostgreSQL nor to this user is not theirs and stays. Raises FailedError if
    something cannot be stopped or removed.
    """
    owners = (tool.account.user, os.geteuid())
    for folder in parent.glob(f"{PREFIX}*"):
        if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid in owners:
            Scratch(folder, tool).stop()
            remove(folder)


def check_parent(parent: Path, account: Account) -> None:
    """Raise MisconfiguredError unless the account of PostgreSQL can make folders there."""
    if account.run(["test", "-w", parent, "-a", "-x", parent]).returncode:
        raise MisconfiguredError(
            f"User {account.user} cannot make a folder in {parent}: choose another with --scratch."
        )


def remove(folder: Path) -> None:
    """Remove a folder, into which processes of a killed pgBackRest may write for another moment.

    Raises FailedError if it is still there after REMOVE_SECONDS.
    """
    deadline = time.monotonic() + REMOVE_SECONDS
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            if folder.exists() and time.monotonic() > deadline:
                raise FailedError(
                    f"{folder}, a copy of the warehouse, could not be removed ({error}). Remove it."
                ) from error
            time.sleep(POLL_SECONDS)


def _answers(url: str) -> bool:
    try:
        connect(url).close()
    except UnavailableError:
        return False
    return True


def _options(settings: Mapping[str, str]) -> list[str]:
    return ["-o", " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())]
