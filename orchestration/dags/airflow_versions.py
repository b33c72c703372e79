"""What Airflow 2.8 and 3 name or allow differently (decision D272); all else of this package is one code for both.

The installed version decides. In Airflow 3, neither a task nor a callback may ask Airflow's database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
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
    "EndedTask",
    "Param",
    "TriggerRule",
    "chain",
    "ended_tasks",
]


@dataclass(frozen=True)
class EndedTask:
    """A task of a run that has ended, its state, and the address of its log, which only Airflow 2.8 tells of others."""

    task_id: str
    state: str | None
    log_url: str | None


def ended_tasks(context: Context) -> list[EndedTask]:
    """Return the tasks of a run, in a task or callback of this run; in Airflow 2.8, the first to end first."""
    if IS_AIRFLOW_2:
        found = context["dag_run"].get_task_instances()
        now = datetime.now(UTC)
        return [
            EndedTask(task.task_id, task.state, task.log_url)
            for task in sorted(found, key=lambda task: task.end_date or now)
        ]
    task: Any = context["ti"]
    run_id = context["run_id"]
    states = task.get_task_states(dag_id=context["dag"].dag_id, run_ids=[run_id])
    return [EndedTask(task_id, state and str(state), None) for task_id, state in states.get(run_id, {}).items()]
