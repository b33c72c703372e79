"""A temporary Airflow home with metadata in SQLite for a test run. Import this module before airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

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
from airflow.models.dagrun import DagRun  # noqa: E402
from airflow.models.pool import Pool  # noqa: E402
from airflow.timetables.base import DagRunInfo, TimeRestriction  # noqa: E402
from airflow.utils import db  # noqa: E402

from orchestration.dags.airflow_versions import DAG, IS_AIRFLOW_2, BaseOperator  # noqa: E402

if TYPE_CHECKING or IS_AIRFLOW_2:
    from airflow.models.dagbag import DagBag
else:
    from airflow.dag_processing.dagbag import DagBag

Task = TypeVar("Task", bound=BaseOperator)

__all__ = ["DAG", "HOME", "IS_AIRFLOW_2", "DagBag", "bag", "drop_pool", "make_pool", "migrate", "run_dag", "states"]


def bag(folder: Path = PROJECT / "dags") -> DagBag:
    """Return the DAGs that Airflow finds in a folder."""
    return DagBag(folder) if not IS_AIRFLOW_2 else DagBag(folder, include_examples=False)


def migrate() -> None:
    """Create the metadata database."""
    db.initdb(load_connections=False) if IS_AIRFLOW_2 else db.initdb()


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
    at = {
        "execution_date" if IS_AIRFLOW_2 else "logical_date": pendulum.instance(
            datetime.fromisoformat(run_at), tz="UTC"
        )
    }
    run: DagRun = dag.test(**at, run_conf=conf or None)  # type: ignore[arg-type]
    return run


def first_run(dag: DAG, since: str) -> DagRunInfo:
    """Return the first run of a DAG's schedule whose interval begins at `since` or later."""
    timetable: Any = dag.timetable
    if not IS_AIRFLOW_2:
        encoders: Any = import_module("airflow.serialization.encoders")
        timetable = encoders.coerce_to_core_timetable(timetable)
    restriction = TimeRestriction(pendulum.instance(datetime.fromisoformat(since)), None, catchup=True)
    info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert isinstance(info, DagRunInfo)
    return info


def schedules(dags: Mapping[str, DAG]) -> dict[str, str | None]:
    """Return the schedule of each DAG, as Airflow shows it."""
    if IS_AIRFLOW_2:
        return {name: str(dag.schedule_interval) if dag.schedule_interval else None for name, dag in dags.items()}
    return {name: getattr(dag.timetable, "expression", None) for name, dag in dags.items()}


def task_of(dag: DAG, task_id: str, kind: type[Task]) -> Task:
    """Return the task of a DAG, which has this kind of operator."""
    task = dag.get_task(task_id)
    assert isinstance(task, kind)
    return task


def states(run: DagRun) -> dict[str, str]:
    """Return the state of each task of a run."""
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
