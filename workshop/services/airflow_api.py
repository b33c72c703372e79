"""What is asked of a private Airflow over its REST API: the DAGs, import errors, runs, and a run from start to end."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.errors import InsightsError
from workshop.services.airflow import LocalAirflow
from workshop.services.airflow_settings import USER

POLL_SECONDS = 0.5
ANSWER_SECONDS = 120  # of one request: a webserver with one worker may be busy
ENDED = ("success", "failed")


@dataclass(frozen=True)
class Run:
    """One run of a DAG, and its state: queued, running, success or failed."""

    dag: str
    run_id: str
    state: str


class AirflowApi:
    """The REST API of a running LocalAirflow, as its user `admin`. Every method raises InsightsError when refused."""

    def __init__(self, airflow: LocalAirflow) -> None:
        """Talk to `airflow`, which runs."""
        self._url = f"{airflow.url}/api/v1"
        token = base64.b64encode(f"{USER}:{airflow.secrets.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def dags(self) -> list[str]:
        """Return the ids of the DAGs that the scheduler has read, in alphabetical order."""
        return [dag["dag_id"] for dag in self._ask("/dags?order_by=dag_id&limit=100")["dags"]]

    def import_errors(self) -> dict[str, str]:
        """Return what is wrong with each DAG file that cannot be read: file and traceback."""
        return {error["filename"]: error["stack_trace"] for error in self._ask("/importErrors")["import_errors"]}

    def wait_for_dag(self, dag: str, seconds: float) -> None:
        """Wait until the scheduler has read `dag`; raises InsightsError, with the import errors, when it does not."""
        deadline = time.monotonic() + seconds
        while dag not in self.dags():
            if time.monotonic() > deadline:
                errors = "\n".join(f"{file}:\n{trace}" for file, trace in self.import_errors().items())
                raise InsightsError(
                    f"Airflow has no DAG {dag} after {seconds:.0f} s; import errors: {errors or 'none'}"
                )
            time.sleep(POLL_SECONDS)

    def trigger(self, dag: str, params: Mapping[str, Any]) -> Run:
        """Make a run of `dag` with these parameters; it is queued."""
        made = self._ask(f"/dags/{dag}/dagRuns", {"conf": dict(params)})
        return Run(dag, made["dag_run_id"], made["state"])

    def wait(self, run: Run, seconds: float) -> Run:
        """Return the run when it has ended, or as it is after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            found = self._ask(f"/dags/{run.dag}/dagRuns/{run.run_id}")
            run = Run(run.dag, run.run_id, found["state"])
            if run.state in ENDED or time.monotonic() > deadline:
                return run
            time.sleep(POLL_SECONDS)

    def tasks(self, run: Run) -> dict[str, str | None]:
        """Return the state of each task of a run; None for one that was not begun."""
        found = self._ask(f"/dags/{run.dag}/dagRuns/{run.run_id}/taskInstances?limit=1000")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def runs(self, dag: str) -> list[Run]:
        """Return the runs of `dag`, oldest first."""
        found = self._ask(f"/dags/{dag}/dagRuns?order_by=start_date&limit=100")["dag_runs"]
        return [Run(dag, run["dag_run_id"], run["state"]) for run in found]

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, self._headers)  # noqa: S310 - http, see LocalAirflow
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
                said: dict[str, Any] = json.load(answer)
                return said
        except urllib.error.HTTPError as error:
            raise InsightsError(
                f"Airflow refuses {path}: {error.code} {error.read().decode(errors='replace')}"
            ) from error
        except OSError as error:
            raise InsightsError(f"Airflow does not answer at {self._url}: {error}") from error
