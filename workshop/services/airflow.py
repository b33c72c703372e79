"""A private Airflow: its programs on this machine, with a separate PostgreSQL server for their metadata.

AIRFLOW_HOME is `<state>/airflow`, which holds logs, secrets and the port. The metadata server's folder is
`<state>/metadata`, so that Airflow survives a killed warehouse server. Airflow 3 has `airflow3` and `metadata3`. This
module does not import Airflow.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from orchestration.errors import FailedError, MisconfiguredError
from workshop.services import processes
from workshop.services.airflow_releases import AIRFLOW_2, Component, Release, installed_release
from workshop.services.airflow_secrets import USER, Secrets, kept_secrets
from workshop.services.airflow_settings import choose_port, environment, kept_port
from workshop.services.postgres import SUPERUSER, LocalPostgres
from workshop.services.state import last_lines, locked
from workshop.services.state import marker as service_marker

DATABASE = "airflow"
POOL = "insights_writer"
START_SECONDS = 300
POLL_SECONDS = 0.5
# SIGTERM lets a scheduler wait for its running tasks. The orphaned tasks of a killed scheduler get SIGKILL at once: a
# task that receives SIGTERM counts as failed, whereas the next scheduler restarts a task that has vanished.
STOP_ATTEMPTS = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 60.0))
CLEAR_ATTEMPTS = ((signal.SIGKILL, 60.0),)
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
LAUNCH = 'log=$1 pid=$2; shift 2; "$@" >>"$log" 2>&1 </dev/null & echo $! >"$pid"'


class LocalAirflow:
    """One private Airflow and its metadata server."""

    def __init__(
        self, state: Path, dags: Path, variables: Mapping[str, str] = NO_VARIABLES, release: Release | None = None
    ) -> None:
        """Describe the Airflow in the folder `state`, which must exist; starts nothing.

        `dags` is the folder of the DAG files; `variables` are environment variables for them. Both apply to programs
        that this object starts; running programs keep their own. `release` is by default the installed one.
        """
        self.release = release or installed_release()
        self._state = state
        self._dags = dags
        self._variables = dict(variables)
        self._folder = state / f"airflow{self.release.suffix}"
        self._metadata_folder = state / f"metadata{self.release.suffix}"
        self._metadata = LocalPostgres(self._metadata_folder, {"shared_buffers": "64MB"})

    @property
    def folder(self) -> Path:
        """AIRFLOW_HOME: task logs are in `logs`, program logs in `<program>.log`."""
        return self._folder

    @property
    def url(self) -> str:
        """URL of the server, whether or not it runs; the first start chooses the port."""
        port = kept_port(self._folder)
        return f"http://127.0.0.1:{port}" if port else "(no port yet)"

    @property
    def metadata_url(self) -> str:
        """URL of the metadata database for its owner."""
        return self._metadata.url(DATABASE, SUPERUSER)

    @property
    def secrets(self) -> Secrets:
        """Airflow's keys and the password of the user `admin`."""
        return kept_secrets(self._folder)

    def is_running(self) -> bool:
        """Tell whether all programs and the metadata server run; orphaned child processes do not count."""
        return all(self.programs().values()) and self._metadata.is_running()

    def programs(self) -> dict[str, int | None]:
        """Return the process id of each program, None for one that does not run."""
        return {component.name: self.pid(component.name) for component in self.release.components}

    def pid(self, name: str) -> int | None:
        """Return the process id of a program, None when it does not run."""
        kept = self._kept_pid(name)
        found = processes.find_by_environment(self._marker(name))
        return kept if any(process.pid == kept for process in found) else None

    def health(self) -> dict[str, dict[str, Any]]:
        """Return the response of the server's health endpoint, empty when it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.url}{self.release.health_path}", timeout=5) as response:  # noqa: S310 - http, see url
                parts: dict[str, dict[str, Any]] = json.load(response)
                return parts
        except (OSError, ValueError):
            return {}

    def start(self) -> None:
        """Start the programs that do not run, and wait until all are healthy.

        The first start creates the metadata server, its database, the user and the pool. Leftovers of killed programs
        are removed. Raises MisconfiguredError when Airflow is not installed, and FailedError when a
        program does not start.
        """
        with locked(self._state, self.release.name):
            if self.is_running():
                return
            program = _program()
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._make_metadata_folder()
            self._metadata.start()
            self._metadata.create_database(DATABASE)
            missing = [component for component in self.release.components if self.pid(component.name) is None]
            for component in missing:
                self._clear(component)
            variables = self._environment()
            self._prepare(program, variables)
            started = datetime.now(UTC)
            for component in missing:
                self._launch(program, component, variables)
            self._wait(started)

    def stop(self) -> None:
        """Stop the programs, then the metadata server, and wait until they have ended.

        Does nothing when they do not run. Raises FailedError when a program does not end.
        """
        with locked(self._state, self.release.name):
            processes.end(self._marker(), STOP_ATTEMPTS, processes.find_by_environment)
            if self._metadata_folder.exists():
                self._metadata.stop()

    def _make_metadata_folder(self) -> None:
        """Create the metadata server's folder; under root, let the user who runs PostgreSQL enter it."""
        self._metadata_folder.mkdir(exist_ok=True)
        self._metadata_folder.chmod(0o711 if os.geteuid() == 0 else 0o700)

    def _environment(self) -> dict[str, str]:
        port = kept_port(self._folder) if self.pid(self.release.server) else None
        database_url = self.metadata_url.replace("postgresql://", "postgresql+psycopg2://")
        port = port or choose_port(self._folder)
        return environment(
            self.release, self._folder, self._dags, database_url=database_url, port=port, variables=self._variables
        )

    def _prepare(self, program: Path, variables: Mapping[str, str]) -> None:
        """Create tables, user and pool, once for each Airflow version and metadata server."""
        stamp = self._folder / "prepared"
        created = (self._metadata.socket_dir / "data" / "PG_VERSION").stat().st_mtime_ns
        state = f"{program} {_version(program)} {created}\n"
        if stamp.exists() and stamp.read_text() == state:
            return
        _run([program, "db", "migrate"], variables)
        if self.release is AIRFLOW_2:  # Airflow 3's own login has its users in the settings
            user: list[str | Path] = [program, "users", "create", "--username", USER, "--role", "Admin"]
            user += ["--firstname", "Local", "--lastname", "Admin", "--email", "admin@localhost.invalid"]
            _run(user, variables, f"{self.secrets.password}\n" * 2)  # prompted twice; arguments are public
        _run([program, "pools", "set", POOL, "1", "One writer of the warehouse at a time"], variables)
        stamp.write_text(state)

    def _clear(self, component: Component) -> None:
        """End orphaned processes of a killed program, which may hold its port, and remove its pid files.

        Airflow would trust a stale pid file whose process id is in use again.
        """
        processes.end(self._marker(component.name), CLEAR_ATTEMPTS, processes.find_by_environment)
        for leftover in self._folder.glob(f"airflow-{component.name}*.pid"):
            leftover.unlink()

    def _launch(self, program: Path, component: Component, variables: Mapping[str, str]) -> None:
        name, _, value = self._marker(component.name).partition("=")
        command = [str(program), component.name, *component.arguments]
        files = [self._log(component.name), self._folder / f"{component.name}.pid"]
        subprocess.run(
            ["/bin/sh", "-c", LAUNCH, "sh", *files, *command],
            cwd=self._folder,
            env={**variables, name: value},
            start_new_session=True,
            check=True,
        )

    def _wait(self, started: datetime) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._is_healthy(started):
            for name in self.release.program_names:
                kept = self._kept_pid(name)
                if kept is None or processes.has_ended(kept) or time.monotonic() > deadline:
                    log = self._log(name)
                    raise FailedError(f"Airflow's {name} does not start; {log} ends with:\n{last_lines(log, 15)}")
            time.sleep(POLL_SECONDS)

    def _is_healthy(self, started: datetime) -> bool:
        """Tell whether all parts are healthy and the scheduler's heartbeat is not older than this start."""
        parts = self.health()
        heartbeat = parts.get("scheduler", {}).get("latest_scheduler_heartbeat")
        is_healthy = all(parts.get(part, {}).get("status") == "healthy" for part in self.release.healthy_parts)
        return is_healthy and heartbeat is not None and datetime.fromisoformat(heartbeat) >= started

    def _kept_pid(self, name: str) -> int | None:
        """Return the process id in a program's pid file, which another process may use by now."""
        try:
            return int((self._folder / f"{name}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _marker(self, name: str = "") -> str:
        """Return the text in the environment of a program's processes, or of all programs' when no name is given."""
        return f"ORGO_SERVICE={service_marker(self.release.name, self._state)}-{name}"

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def _program() -> Path:
    """Return the path of the `airflow` command in this Python's environment."""
    program = Path(sys.executable).with_name("airflow")
    if not program.exists():
        raise MisconfiguredError(
            f"Airflow was not found at {program}: run `./dev setup --dev`, or install requirements/airflow.txt. Both"
            " need Python 3.11; with 3.12, run `./dev airflow3`"
        )
    return program


def _version(program: Path) -> str:
    """Return the installed Airflow version from package metadata, because `airflow version` takes seconds."""
    found = sorted(program.parents[1].glob("lib/python*/site-packages/apache_airflow-*.dist-info"))
    return found[-1].name if found else "unknown"


def _run(command: Sequence[str | Path], variables: Mapping[str, str], text: str = "") -> None:
    """Run an Airflow command without a terminal, so that its prompts read `text`."""
    done = subprocess.run(
        command, env=variables, input=text, capture_output=True, text=True, start_new_session=True, check=False
    )
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise FailedError(f"`airflow {' '.join(map(str, command[1:3]))}` failed:\n" + "\n".join(lines))
