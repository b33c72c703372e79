"""A private PostgreSQL 15 server for disposable data, on a unix socket that only its owner can reach."""

import shlex
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from orchestration.errors import FailedError
from workshop.services import binaries, processes
from workshop.services.account import CURRENT_USER, service_account
from workshop.services.state import check_socket, last_lines, locked, marker

SUPERUSER = "postgres"
PORT = 5432  # only part of the socket's file name; the server does not listen on TCP
SOCKET_NAME = f".s.PGSQL.{PORT}"
START_SECONDS = 180
STOP_ATTEMPTS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 60.0))  # fast, immediate, forced
NO_OPTIONS: Mapping[str, str] = MappingProxyType({})

DEFAULTS = {
    "shared_buffers": "256MB",
    "max_connections": "60",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
    # The data is reproducible, so durability is off: a commit survives a killed server, but not a power failure.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}

CREATE_DATABASE = r"""
select format('create database %I', :'name') where not exists (select from pg_database where datname = :'name') \gexec
"""


class LocalPostgres:
    """One private server with its data, log and socket in `<state>/postgres`."""

    def __init__(self, state: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        """Describe the server in the folder `state`, which must exist and be accessible to the service account.

        `options` are server settings (name to value) that override DEFAULTS. They apply to a server that this object
        starts; a running server keeps its own.
        """
        self._state = state
        self._options = {**DEFAULTS, **options}
        self._folder = state / "postgres"
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._marker = marker("pg", state)

    @property
    def socket_dir(self) -> Path:
        """Folder of the socket, for PGHOST."""
        return self._folder

    def url(self, database: str, user: str) -> str:
        """Return the URL of `database` for `user`, who needs no password."""
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={host}"

    def is_running(self) -> bool:
        """Tell whether the server runs; orphaned child processes do not count."""
        return any(not process.title.startswith("postgres:") for process in processes.find(self._marker))

    def start(self) -> None:
        """Start the server unless it is running, and wait until it answers.

        Creates the data folder if it is missing, and removes what a killed server or initdb left behind.
        Raises MisconfiguredError when the programs are missing, and FailedError when the server does not start.
        """
        check_socket(self._folder / f"{SOCKET_NAME}.lock")
        with locked(self._state, "postgres"):
            if self.is_running():
                return
            processes.end(self._marker, STOP_ATTEMPTS)
            account = service_account()
            account.own(self._folder)
            programs = self._programs()
            self._initialize(programs)
            self._launch(programs)

    def stop(self) -> None:
        """Stop the server, which closes its connections, and wait until it has ended.

        Does nothing when it does not run. Raises FailedError when it does not end.
        """
        with locked(self._state, "postgres"):
            processes.end(self._marker, STOP_ATTEMPTS)

    def create_database(self, name: str) -> None:
        """Create the database `name` unless it exists; the server must be running.

        Raises FailedError with the server's message when that fails.
        """
        psql = [binaries.postgres_programs() / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"name={name}"]
        where = ["-h", self.socket_dir, "-p", str(PORT), "-U", SUPERUSER, "-d", "postgres"]
        done = CURRENT_USER.run([*psql, *where], self._folder, CREATE_DATABASE)
        if done.returncode != 0:
            raise FailedError(f"cannot create the database {name}: {done.stderr.strip()}")

    def _programs(self) -> Path:
        """Return the program folder, or a copy of it when the service account cannot access the wheel."""
        programs = binaries.postgres_programs()
        try:
            service_account().run([programs / "postgres", "--version"], self._folder)
        except PermissionError:
            return binaries.copy_of_wheel(programs, self._state / "wheel")
        return programs

    def _initialize(self, programs: Path) -> None:
        """Remove what a killed server left behind, and create the data folder unless it is complete.

        initdb writes to a temporary name, so that an interrupted initdb leaves no folder named `data`.
        """
        # PostgreSQL would trust these stale files if their process id is in use again.
        for lock in (self._data / "postmaster.pid", self._folder / f"{SOCKET_NAME}.lock"):
            lock.unlink(missing_ok=True)
        if (self._data / "PG_VERSION").exists():
            return
        for leftover in [self._data, *self._folder.glob("new-*")]:
            shutil.rmtree(leftover, ignore_errors=True)
        fresh = Path(tempfile.mktemp(prefix="new-", dir=self._folder))  # noqa: S306 - initdb creates it, as another user
        locale = ["--encoding=UTF8", "--locale=C", "--lc-ctype=C.UTF-8"]
        command = [programs / "initdb", "-D", fresh, "-U", SUPERUSER, "--auth=trust", "--no-sync", *locale]
        done = service_account().run(command, self._folder)
        if done.returncode != 0:
            raise FailedError(f"initdb cannot create {fresh}: {done.stderr.strip()}")
        fresh.rename(self._data)

    def _launch(self, programs: Path) -> None:
        config = self._state / "postgresql.conf"  # outside the data folder, which another user may own
        config.write_text("".join(f"{name} = {_quoted(value)}\n" for name, value in self._options.items()))
        config.chmod(0o644)
        settings = {
            "config_file": str(config),
            "cluster_name": self._marker,
            "listen_addresses": "",
            "unix_socket_directories": str(self._folder),
            "port": str(PORT),
        }
        options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
        command = [programs / "pg_ctl", "start", "-D", self._data, "-l", self._log, "-w", "-t", str(START_SECONDS)]
        done = service_account().run([*command, "-o", options], self._folder)
        if done.returncode != 0:
            raise FailedError(
                f"PostgreSQL does not start; {self._log} ends with:\n{last_lines(self._log)}\n"
                "To start over, run `./dev clean`, which removes this private server and its data"
            )


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
