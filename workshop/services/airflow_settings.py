"""The environment of a private Airflow: its port and its AIRFLOW__ variables."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from workshop.services.airflow_releases import Release
from workshop.services.airflow_secrets import kept_secrets

PORT_WAIT_SECONDS = 3.0
PREFERRED_PORT = 8080
# Variables of the caller's shell that may point to another Airflow, warehouse or dbt project.
IGNORED_PREFIXES = ("AIRFLOW", "INSIGHTS_", "PG", "DBT_")


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


def environment(  # noqa: PLR0913 - half are given by name
    release: Release, folder: Path, dags: Path, *, database_url: str, port: int, variables: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment variables for every process of the Airflow in `folder`.

    `dags` is the folder of the DAG files, `database_url` the metadata database, `variables` are for the DAGs.
    """
    keys = kept_secrets(folder)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(IGNORED_PREFIXES)}
    shipped = {
        f"AIRFLOW__{part}__{key}": value for part, names in release.settings.items() for key, value in names.items()
    }
    return {
        **inherited,
        **shipped,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__FERNET_KEY": keys.fernet_key,
        **release.addresses(folder, port, keys),
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
