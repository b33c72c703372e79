"""A private Airflow for tests, with the product's six DAGs, test DAGs, and a warehouse on another server."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from support.warehouse import Warehouse

from orchestration.config.files import PROJECT
from orchestration.warehouse.connection import connect
from workshop.services import LocalAirflow
from workshop.services.airflow_api import Run

RETRY_SECONDS = 5
DAG_FILE = '''\
"""DAGs for Airflow."""
from datetime import datetime

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2.8
    from airflow.operators.bash import BashOperator

ARGUMENTS = {{"start_date": datetime(2026, 1, 1), "schedule": "* * * * *", "catchup": False}}
with DAG("quick", **ARGUMENTS):
    BashOperator(task_id="env", bash_command='test "$INSIGHTS_ENV" = prod', pool="insights_writer")
with DAG("patient", **ARGUMENTS):
    # The first try takes longer than any test waits.
    BashOperator(task_id="wait", bash_command='echo try >>"{tries}"; test "$(wc -l <"{tries}")" -gt 1 || sleep 3600')
'''
BROKEN_FILE = 'raise ValueError("this DAG file of Airflow is broken on purpose")\n'


@dataclass(frozen=True)
class Place:
    """The Airflow under test, its state folder, its warehouse, and the file where DAG `patient` counts its tries."""

    airflow: LocalAirflow
    state: Path
    warehouse: Warehouse
    tries: Path

    @classmethod
    def of(cls, top: Path, state: Path, warehouse: Warehouse, more: Mapping[str, str] | None = None) -> Place:
        """Write the DAG files below `top` and link the product's file, as in docs/airflow.md; starts nothing.

        `more` are further environment variables for the DAGs.
        """
        dags, tries = top / "dags", top / "tries"
        dags.mkdir()
        (dags / "good.py").write_text(DAG_FILE.format(tries=tries))
        (dags / "broken.py").write_text(BROKEN_FILE)
        (dags / "insights.py").symlink_to(PROJECT / "dags" / "insights.py")
        variables = {
            "INSIGHTS_ENV": "prod",
            "INSIGHTS_WAREHOUSE_URL": warehouse.etl_url,
            "DBT_TARGET_PATH": os.environ["DBT_TARGET_PATH"],
            "DBT_LOG_PATH": os.environ["DBT_LOG_PATH"],
            "DBT_LOG_LEVEL_FILE": "none",
            # Limits the delays between tries, which are minutes in the DAGs.
            "AIRFLOW__CORE__MAX_TASK_RETRY_DELAY": str(RETRY_SECONDS),
            # The files stay as they are, and each scheduler parses them when it starts.
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "600",
            **(more or {}),
        }
        return cls(LocalAirflow(state, dags, variables), state, warehouse, tries)

    def pids(self) -> set[int]:
        """Return the processes with this AIRFLOW_HOME in their environment, without using the code under test."""
        home = f"AIRFLOW_HOME={self.airflow.folder}\0".encode()
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if home in (process / "environ").read_bytes():
                    found.add(int(process.name))
            except OSError:
                continue
        return found

    def tries_of(self, run: Run) -> dict[str, int]:
        """Return the number of tries of each task of a run, from the metadata."""
        with connect(self.airflow.metadata_url) as metadata:
            query = "select task_id, try_number from task_instance where dag_id = %s and run_id = %s"
            return dict(metadata.execute(query, [run.dag, run.run_id]).fetchall())

    def has_failed(self, run: Run, task: str) -> bool:
        """Tell whether a task of a run failed at least once and is tried again."""
        with connect(self.airflow.metadata_url) as metadata:
            query = """
                select from task_instance
                where dag_id = %s and run_id = %s and task_id = %s and (state = 'up_for_retry' or try_number > 1)
            """
            return bool(metadata.execute(query, [run.dag, run.run_id, task]).fetchall())

    def start_and_end(self, run: Run) -> tuple[datetime, datetime]:
        """Return the start and end time of a run, from the metadata."""
        with connect(self.airflow.metadata_url) as metadata:
            query = "select start_date, end_date from dag_run where dag_id = %s and run_id = %s"
            start, end = metadata.execute(query, [run.dag, run.run_id]).fetchall()[0]
            return start, end


def wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    """Wait until `condition` is true, and fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition is still false after {seconds} s"
        time.sleep(0.5)


def server_pid(server_folder: Path) -> int:
    """Return the process id of the PostgreSQL server in a folder, from its pid file."""
    return int((server_folder / "data" / "postmaster.pid").read_text().split()[0])


def is_listening(url: str) -> bool:
    """Tell whether a server listens at the host and port of a URL."""
    with closing(socket.socket()) as client:
        return client.connect_ex((urlsplit(url).hostname, urlsplit(url).port)) == 0
