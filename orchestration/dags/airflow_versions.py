"""What Airflow 2.8 and 3 name or allow differently (decision D272); all else of this package is one code for both.

The installed version decides. In Airflow 3, neither a task nor a callback may ask Airflow's database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow import __version__

IS_AIRFLOW_2 = __version__.startswith("2.")

if TYPE_CHECKING or IS_AIRFLOW_2:
    from airflow.exceptions import (
        AirflowFailException,
        AirflowRescheduleException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )
    from airflow.models.baseoperator import BaseOperator, chain
    from airflow.models.dag import DAG
    from airflow.models.param import Param
    from airflow.sensors.base import BaseSensorOperator
    from airflow.timetables.interval import CronDataIntervalTimetable
    from airflow.utils.context import Context
    from airflow.utils.trigger_rule import TriggerRule
else:
    from airflow.sdk import (
        DAG,
        BaseOperator,
        BaseSensorOperator,
        Context,
        CronDataIntervalTimetable,
        Param,
        TriggerRule,
        chain,
    )
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowRescheduleException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )

__all__ = [
    "DAG",
    "IS_AIRFLOW_2",
    "AirflowFailException",
    "AirflowRescheduleException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseOperator",
    "BaseSensorOperator",
    "Context",
    "CronDataIntervalTimetable",
    "Param",
    "TriggerRule",
    "chain",
    "task_states",
]


def task_states(context: Context) -> dict[str, str | None]:
    """Return the state of each task of a run by task id, in a task or callback of this run."""
    if IS_AIRFLOW_2:
        return {task.task_id: task.state for task in context["dag_run"].get_task_instances()}
    task: Any = context["ti"]
    run_id = context["run_id"]
    found = task.get_task_states(dag_id=context["dag"].dag_id, run_ids=[run_id])
    return {task_id: state and str(state) for task_id, state in found.get(run_id, {}).items()}
