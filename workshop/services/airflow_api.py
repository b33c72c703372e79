"""Client for the REST API of a private Airflow: DAGs, import errors, runs and their tasks."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestration.errors import (
    BadInputError,
    ConflictError,
    FailedError,
    InsightsError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from workshop.services.airflow import LocalAirflow
from workshop.services.airflow_releases import AIRFLOW_2
from workshop.services.airflow_secrets import USER

POLL_SECONDS = 2.0  # each look makes Airflow 2 compute the slow hash of the password
REQUEST_SECONDS = 120  # a webserver with one worker may be busy
ENDED = ("success", "failed")
TASK_ENDED = (*ENDED, "skipped", "upstream_failed", "removed")

# The error for each status of a refused request; any other status is a failure of Airflow.
_KINDS: dict[int, type[InsightsError]] = {
    400: BadInputError,
    401: RefusedError,
    403: RefusedError,
    404: NotFoundError,
    409: ConflictError,
}


@dataclass(frozen=True)
class Run:
    """One DAG run; its state is queued, running, success or failed."""

    dag: str
    run_id: str
    state: str


class AirflowApi:
    """The REST API of a running LocalAirflow, used as `admin`.

    Every method raises UnavailableError when Airflow does not respond, or the error of the HTTP status of a refusal.
    """

    def __init__(self, airflow: LocalAirflow) -> None:
        """Prepare requests to `airflow`, which must be running."""
        self._airflow = airflow
        self._url = f"{airflow.url}{airflow.release.api_path}"
        self._authorization: str | None = None

    def dags(self) -> list[str]:
        """Return the ids of the DAGs that the scheduler has parsed, in alphabetical order."""
        return [dag["dag_id"] for dag in self._request("/dags?order_by=dag_id&limit=100")["dags"]]

    def import_errors(self) -> dict[str, str]:
        """Return the traceback of each DAG file that cannot be imported, by file name."""
        return {error["filename"]: error["stack_trace"] for error in self._request("/importErrors")["import_errors"]}

    def wait_for_dag(self, dag: str, seconds: float) -> None:
        """Wait until the scheduler has parsed `dag`.

        Raises NotFoundError with the import errors when that takes longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        while dag not in self.dags():
            if time.monotonic() > deadline:
                errors = "\n".join(f"{file}:\n{trace}" for file, trace in self.import_errors().items())
                raise NotFoundError(
                    f"Airflow has no DAG {dag} after {seconds:.0f} s; import errors: {errors or 'none'}"
                )
            time.sleep(POLL_SECONDS)

    def trigger(self, dag: str, params: Mapping[str, Any]) -> Run:
        """Queue a run of `dag` with these parameters and return it."""
        body: dict[str, Any] = {"conf": dict(params)}
        if self._airflow.release is not AIRFLOW_2:
            body["logical_date"] = datetime.now(UTC).isoformat()  # as its page does; without one a run has no interval
        created = self._request(f"/dags/{dag}/dagRuns", body)
        return Run(dag, created["dag_run_id"], created["state"])

    def wait(self, run: Run, seconds: float, progress: Callable[[int, int], None] | None = None) -> Run:
        """Wait until the run has ended, at most `seconds`, and return its latest state.

        `progress` gets the number of tasks that have ended, and that of all, at each look.
        """
        deadline = time.monotonic() + seconds
        while True:
            found = self._request(f"/dags/{run.dag}/dagRuns/{run.run_id}")
            run = Run(run.dag, run.run_id, found["state"])
            if run.state in ENDED or time.monotonic() > deadline:
                return run
            if progress:
                states = self.tasks(run).values()
                progress(sum(state in TASK_ENDED for state in states), len(states))
            time.sleep(POLL_SECONDS)

    def tasks(self, run: Run) -> dict[str, str | None]:
        """Return the state of each task of a run, None for a task that has not started."""
        found = self._request(f"/dags/{run.dag}/dagRuns/{run.run_id}/taskInstances?limit=1000")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def runs(self, dag: str) -> list[Run]:
        """Return the runs of `dag`, oldest first."""
        found = self._request(f"/dags/{dag}/dagRuns?order_by=start_date&limit=100")["dag_runs"]
        return [Run(dag, run["dag_run_id"], run["state"]) for run in found]

    def _request(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self._authorization = self._authorization or self._log_in()
        return self._send(self._url + path, body, {"Authorization": self._authorization})

    def _log_in(self) -> str:
        """Return what authorizes a request: in Airflow 3, a token that lasts a day."""
        password = self._airflow.secrets.password
        if self._airflow.release is AIRFLOW_2:
            return f"Basic {base64.b64encode(f'{USER}:{password}'.encode()).decode()}"
        answer = self._send(f"{self._airflow.url}/auth/token", {"username": USER, "password": password}, {})
        return f"Bearer {answer['access_token']}"

    def _send(self, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - http, see LocalAirflow
            url, data, {**headers, "Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as response:  # noqa: S310
                content: dict[str, Any] = json.load(response)
                return content
        except urllib.error.HTTPError as error:
            kind = _KINDS.get(error.code, FailedError)
            raise kind(f"Airflow refuses {url}: {error.code} {error.read().decode(errors='replace')}") from error
        except OSError as error:
            raise UnavailableError(f"Airflow does not answer at {self._url}: {error}") from error
