"""The releases of Airflow that a private one can be: their programs, settings and addresses (decision D274)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from workshop.services.airflow_secrets import USER, Secrets

Settings = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Component:
    """One program of Airflow: its name, and the arguments of `airflow NAME`."""

    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """One major release. `name` names its lock file and begins its processes' marker, `suffix` ends its folders' names.

    The first component is the server: `health_path` says how its parts are, and `api_path` begins its REST API.
    """

    major: int
    name: str
    suffix: str
    components: tuple[Component, ...]
    health_path: str
    api_path: str
    healthy_parts: tuple[str, ...]
    settings: Settings

    @property
    def server(self) -> str:
        """Name of the program that serves pages and the REST API."""
        return self.components[0].name

    @property
    def program_names(self) -> list[str]:
        """Names of all programs."""
        return [component.name for component in self.components]

    def addresses(self, folder: Path, port: int, keys: Secrets) -> dict[str, str]:
        """Return the environment variables for the server's address, its keys and, where no command makes it, its user.

        `folder` is AIRFLOW_HOME.
        """
        url = f"http://127.0.0.1:{port}"
        if self is AIRFLOW_2:
            return {
                "AIRFLOW__WEBSERVER__SECRET_KEY": keys.secret_key,
                "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(port),
                "AIRFLOW__WEBSERVER__BASE_URL": url,
            }
        return {
            "AIRFLOW__API__SECRET_KEY": keys.secret_key,
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API_AUTH__JWT_SECRET": keys.secret_key,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords(folder, keys)),
        }


_SHARED: dict[str, dict[str, str]] = {
    "CORE": {
        "EXECUTOR": "LocalExecutor",
        "LOAD_EXAMPLES": "False",
        "PARALLELISM": "4",
        "MAX_ACTIVE_TASKS_PER_DAG": "4",
        # A busy machine can take longer to import a DAG file than Airflow's default of 30 s allows.
        "DAGBAG_IMPORT_TIMEOUT": "180",
        # Triggered runs of a paused DAG stay queued, so no DAG starts paused. USE_JOB_SCHEDULE turns schedules off
        # instead: the sample ends in the past, and a review of last Monday would wait for loads that never run.
        "DAGS_ARE_PAUSED_AT_CREATION": "False",
    },
    "SCHEDULER": {
        "USE_JOB_SCHEDULE": "False",
        # A killed scheduler counts as dead after 20 s, and the next one adopts its tasks within another 10 s.
        "SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
        "ORPHANED_TASKS_CHECK_INTERVAL": "10",
    },
    "LOGGING": {"COLORED_CONSOLE_LOG": "False"},
    "COSMOS": {"ENABLE_TELEMETRY": "False"},
    "USAGE_DATA_COLLECTION": {"ENABLED": "False"},
}

AIRFLOW_2 = Release(
    major=2,
    name="airflow",
    suffix="",
    components=(Component("webserver"), Component("scheduler", ("--skip-serve-logs",))),
    health_path="/health",
    api_path="/api/v1",
    healthy_parts=("metadatabase", "scheduler"),
    settings={
        **_SHARED,
        "CORE": {**_SHARED["CORE"], "DAG_FILE_PROCESSOR_TIMEOUT": "240"},
        "SCHEDULER": {**_SHARED["SCHEDULER"], "DAG_DIR_LIST_INTERVAL": "10", "PARSING_PROCESSES": "1"},
        "WEBSERVER": {
            "WEB_SERVER_HOST": "127.0.0.1",
            "WORKERS": "1",
            "WORKER_REFRESH_INTERVAL": "0",
            "DAG_DEFAULT_VIEW": "grid",
        },
        "API": {"AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth,airflow.api.auth.backend.session"},
    },
)

# Its DAGs defer nothing, so no triggerer runs. Tasks and callbacks reach the metadata by the API server only.
AIRFLOW_3 = Release(
    major=3,
    name="airflow3",
    suffix="3",
    components=(Component("api-server"), Component("scheduler", ("--skip-serve-logs",)), Component("dag-processor")),
    health_path="/api/v2/monitor/health",
    api_path="/api/v2",
    healthy_parts=("metadatabase", "scheduler", "dag_processor"),
    settings={
        **_SHARED,
        # It cannot adopt its own tasks, and restarts them when a busy machine makes it late.
        "SCHEDULER": {**_SHARED["SCHEDULER"], "SCHEDULER_HEALTH_CHECK_THRESHOLD": "90"},
        "DAG_PROCESSOR": {
            "DAG_FILE_PROCESSOR_TIMEOUT": "240",
            "PARSING_PROCESSES": "1",
            "REFRESH_INTERVAL": "10",
        },
        "API": {"HOST": "127.0.0.1", "WORKERS": "1"},
    },
)

RELEASES = (AIRFLOW_2, AIRFLOW_3)


def installed_release() -> Release:
    """Return the release that this Python has, and 2 where none is installed."""
    try:
        major = int(version("apache-airflow").partition(".")[0])
    except PackageNotFoundError:
        return AIRFLOW_2
    return next((release for release in RELEASES if release.major == major), AIRFLOW_2)


def _passwords(folder: Path, keys: Secrets) -> Path:
    """Write the file, readable by its owner alone, in which Airflow 3's own login looks up the user's password."""
    path = folder / "passwords.json"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({USER: keys.password}, file)
    return path
