"""The environment of a private Airflow: its secrets, its port and its AIRFLOW__ variables."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

PORT_WAIT_SECONDS = 3.0
PREFERRED_PORT = 8080
USER = "admin"
# Variables of the caller's shell that may point to another Airflow, warehouse or dbt project.
IGNORED_PREFIXES = ("AIRFLOW", "INSIGHTS_", "PG", "DBT_")

SETTINGS = {
    "CORE": {
        "EXECUTOR": "LocalExecutor",
        "LOAD_EXAMPLES": "False",
        "PARALLELISM": "4",
        "MAX_ACTIVE_TASKS_PER_DAG": "4",
        # A busy machine can take longer to import a DAG file than Airflow's default of 30 s allows.
        "DAGBAG_IMPORT_TIMEOUT": "180",
        "DAG_FILE_PROCESSOR_TIMEOUT": "240",
        # Triggered runs of a paused DAG stay queued, so no DAG starts paused. USE_JOB_SCHEDULE turns schedules off
        # instead: the sample ends in the past, and a review of last Monday would wait for loads that never run.
        "DAGS_ARE_PAUSED_AT_CREATION": "False",
    },
    "SCHEDULER": {
        "USE_JOB_SCHEDULE": "False",
        "DAG_DIR_LIST_INTERVAL": "10",
        "PARSING_PROCESSES": "1",
        # A killed scheduler counts as dead after 20 s, and the next one adopts its tasks within another 10 s.
        "SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
        "ORPHANED_TASKS_CHECK_INTERVAL": "10",
    },
    "WEBSERVER": {
        "WEB_SERVER_HOST": "127.0.0.1",
        "WORKERS": "1",
        "WORKER_REFRESH_INTERVAL": "0",
        "DAG_DEFAULT_VIEW": "grid",
    },
    "API": {"AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth,airflow.api.auth.backend.session"},
    "LOGGING": {"COLORED_CONSOLE_LOG": "False"},
    "COSMOS": {"ENABLE_TELEMETRY": "False"},
    "USAGE_DATA_COLLECTION": {"ENABLED": "False"},
}


@dataclass(frozen=True)
class Secrets:
    """Airflow's encryption and signing keys, and the password of the user `admin`."""

    fernet_key: str
    secret_key: str
    password: str


def kept_secrets(folder: Path) -> Secrets:
    """Return the secrets of the Airflow in `folder`; the first call creates them in a file with mode 0600."""
    path = folder / "secrets.json"
    if path.exists():
        return Secrets(**json.loads(path.read_text()))
    created = Secrets(
        fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        secret_key=secrets.token_hex(32),
        password=secrets.token_urlsafe(12),
    )
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(created), file)
    fresh.rename(path)
    return created


def kept_port(folder: Path) -> int | None:
    """Return the port of the webserver's last start in `folder`, None before the first start."""
    try:
        return int((folder / "port").read_text())
    except (FileNotFoundError, ValueError):
        return None


def choose_port(folder: Path) -> int:
    """Return a free port, the previous one if possible, and store it in `folder`."""
    kept = kept_port(folder)
    deadline = time.monotonic() + PORT_WAIT_SECONDS  # a killed process may hold its port for a moment
    while kept and not _free(kept) and time.monotonic() < deadline:
        time.sleep(0.1)
    candidates = [port for port in (kept, PREFERRED_PORT, 0) if port is not None]
    port = next(free for candidate in candidates if (free := _free(candidate)))
    (folder / "port").write_text(f"{port}\n")
    return port


def environment(folder: Path, dags: Path, database_url: str, port: int, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables for every process of the Airflow in `folder`.

    `dags` is the folder of the DAG files, `database_url` the metadata database, `variables` are for the DAGs.
    """
    keys = kept_secrets(folder)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(IGNORED_PREFIXES)}
    shipped = {f"AIRFLOW__{part}__{key}": value for part, names in SETTINGS.items() for key, value in names.items()}
    return {
        **inherited,
        **shipped,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__FERNET_KEY": keys.fernet_key,
        "AIRFLOW__WEBSERVER__SECRET_KEY": keys.secret_key,
        "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(port),
        "AIRFLOW__WEBSERVER__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "AIRFLOW__COSMOS__CACHE_DIR": str(folder / "cosmos"),
        "DO_NOT_TRACK": "1",
        "SCARF_ANALYTICS": "false",
        "SPT_NOENV": "1",  # keeps setproctitle from overwriting the environment that identifies the processes
        **variables,
    }


def _free(port: int) -> int | None:
    """Return the port, or any free one for 0; None when it is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return None
        return int(probe.getsockname()[1])
