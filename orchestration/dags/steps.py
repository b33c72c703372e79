"""Turns the steps of a flow into tasks of the current DAG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any

from airflow.models.baseoperator import BaseOperator, chain
from airflow.utils.trigger_rule import TriggerRule
from cosmos.airflow.task_group import DbtTaskGroup

from orchestration import flows
from orchestration.dags.gate import Gate
from orchestration.dags.operators import (
    ExportOperator,
    LoadLogOperator,
    PurgeOperator,
    ReconcileOperator,
    RecountOperator,
    SendReviewsOperator,
    WarmOperator,
)
from orchestration.dags.rendering import dbt_task, model_tasks
from orchestration.flows import Flow, Marts, Step
from orchestration.manifest import marts

OPERATORS: Mapping[str, type[BaseOperator]] = {
    "purge": PurgeOperator,
    "reconcile": ReconcileOperator,
    "recount": RecountOperator,
    "export_day": ExportOperator,
    "export_week": ExportOperator,
    "export_month": ExportOperator,
    "send_reviews": SendReviewsOperator,
    "warm": WarmOperator,
}
SECOND = timedelta(seconds=1)


def make_steps(dag_key: str, flow: Flow, manifest: Mapping[str, Any]) -> None:
    """Make the tasks of a flow, each after the one before; `manifest` has the marts for its gate and load log.

    The step after one that always runs waits for the step before it too, so that its failure fails the run. No step
    waits for one aside. It must be called inside the DAG.
    """
    tasks = [(step, _task(step, dag_key, flow, manifest)) for step in flow.steps]
    line = [(step, task) for step, task in tasks if not isinstance(step, flows.Aside)]
    chain(*(task for _, task in line))
    for (_, before), (step, _), (_, after) in zip(line, line[1:], line[2:], strict=False):
        if isinstance(step, flows.Always):
            chain(before, after)
    for (_, before), (step, task) in pairwise(tasks):
        if isinstance(step, flows.Aside):
            chain(before, task)


def _task(step: Step, dag_key: str, flow: Flow, manifest: Mapping[str, Any]) -> BaseOperator | DbtTaskGroup:
    match step:
        case flows.Gate():
            own = marts(manifest, dag=dag_key)
            return Gate(
                task_id=step.task_id,
                dag_key=dag_key,
                loaded=_names(step.loaded, manifest),
                loaders={name: one.dag for one in step.loaded if one.dag for name in _names([one], manifest)},
                present=[name for name in _names(step.present, manifest) if name not in own],
                checks_rows=step.checks_rows,
                timeout=flow.wait / SECOND,
                poke_interval=min(60 * SECOND, flow.wait / 2),
            )
        case flows.Dbt():
            return dbt_task(step.task_id, step.command, step.selector, checks_rows=step.checks_rows)
        case flows.Models():
            return model_tasks(step.task_id, step.selector, manifest)
        case Step("load_log"):
            return LoadLogOperator(task_id=step.task_id, relations=marts(manifest, dag=dag_key))
        case flows.Always():
            return OPERATORS[step.task_id](task_id=step.task_id, trigger_rule=TriggerRule.NONE_SKIPPED)
        case _:
            return OPERATORS[step.task_id](task_id=step.task_id)


def _names(chosen: Iterable[Marts], manifest: Mapping[str, Any]) -> list[str]:
    return [name for one in chosen for name in marts(manifest, dag=one.dag, folder=one.folder)]
