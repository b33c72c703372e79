"""A temporary Airflow home with metadata in SQLite for a test run. Import this module before airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from orchestration.config.files import PROJECT

HOME = Path(tempfile.mkdtemp(prefix="orgo-insights-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",  # the default of 30 s is too short on a busy machine
    "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
    "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME / 'airflow.db'}",
}

import pendulum  # noqa: E402 - Airflow reads the variables at import
from airflow.models.baseoperator import BaseOperator  # noqa: E402
from airflow.models.dag import DAG  # noqa: E402
from airflow.models.dagbag import DagBag  # noqa: E402
from airflow.models.dagrun import DagRun  # noqa: E402
from airflow.models.pool import Pool  # noqa: E402
from airflow.utils import db  # noqa: E402

Task = TypeVar("Task", bound=BaseOperator)

__all__ = ["DAG", "HOME", "DagBag", "bag", "drop_pool", "make_pool", "migrate", "run_dag", "states"]


def bag(folder: Path = PROJECT / "dags") -> DagBag:
    """Return the DAGs that Airflow finds in a folder."""
    return DagBag(folder, include_examples=False)


def migrate() -> None:
    """Create the metadata database."""
    db.initdb(load_connections=False)


def make_pool(slots: int) -> None:
    """Create or update the writer's pool."""
    Pool.create_or_update_pool("insights_writer", slots, "One writer", include_deferred=False)


def drop_pool() -> None:
    """Delete the writer's pool."""
    Pool.delete_pool("insights_writer")


def run_dag(dag: DAG, run_at: str, **conf: Any) -> DagRun:
    """Run a DAG in this process, like `airflow dags test`, for the time `run_at` and with the parameters `conf`."""
    for task in dag.tasks:
        task.retries = 0  # report a failure at once
    return dag.test(execution_date=pendulum.instance(datetime.fromisoformat(run_at), tz="UTC"), run_conf=conf or None)


def task_of(dag: DAG, task_id: str, kind: type[Task]) -> Task:
    """Return the task of a DAG, which has this kind of operator."""
    task = dag.get_task(task_id)
    assert isinstance(task, kind)
    return task


def states(run: DagRun) -> dict[str, str]:
    """Return the state of each task of a run."""
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
