"""Turns the steps of a flow into tasks of the current DAG."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cosmos.airflow.task_group import DbtTaskGroup

from orchestration import flows
from orchestration.dags.airflow_versions import BaseOperator, TriggerRule, chain
from orchestration.dags.gate import Gate
from orchestration.dags.operators import LoadLogOperator, StepOperator, WriterOperator
from orchestration.dags.rendering import dbt_task, model_tasks
from orchestration.flows import Flow, Step
from orchestration.manifest import marts
from orchestration.runs.readiness import Needs

WRITERS: Mapping[str, str] = {"purge": "#f2c9c9", "reconcile": "#d7e8c9", "recount": "#e8e1c9"}  # colors
OTHERS: Mapping[str, str] = {
    **dict.fromkeys(("export_day", "export_week", "export_month"), "#d9f0d0"),
    "send_reviews": "#c9dcff",
    "send_digests": "#dcd0f0",
    "warm": "#fbe3a9",
}
SECOND = timedelta(seconds=1)


def make_steps(dag_key: str, flow: Flow, manifest: Mapping[str, Any]) -> None:
    """Make the tasks of a flow, each after the one before; `manifest` has the marts for its gate and load log.

    The step after one that always runs waits for the step before it too, so that its failure fails the run. No step
    waits for one aside, which waits for the last step before it that is none. It must be called inside the DAG.
    """
    tasks = [(step, _task(step, dag_key, flow, manifest)) for step in flow.steps]
    line = [(step, task) for step, task in tasks if not isinstance(step, flows.Aside)]
    chain(*(task for _, task in line))
    for (_, before), (step, _), (_, after) in zip(line, line[1:], line[2:], strict=False):
        if isinstance(step, flows.Always):
            chain(before, after)
    awaited = tasks[0][1]
    for step, task in tasks:
        if isinstance(step, flows.Aside):
            chain(awaited, task)
        else:
            awaited = task


def _task(step: Step, dag_key: str, flow: Flow, manifest: Mapping[str, Any]) -> BaseOperator | DbtTaskGroup:
    match step:
        case flows.Gate():
            return Gate(
                task_id=step.task_id,
                dag_key=dag_key,
                needs=Needs.of(step, dag_key, manifest),
                timeout=flow.wait / SECOND,
                poke_interval=flows.between_checks(flow) / SECOND,
            )
        case flows.Dbt():
            return dbt_task(step.task_id, step.command, step.selector, checks_rows=step.checks_rows)
        case flows.Models():
            return model_tasks(step.task_id, step.selector, manifest)
        case Step("load_log"):
            return LoadLogOperator(task_id=step.task_id, relations=marts(manifest, dag=dag_key))
        case flows.Always():
            return _work(step, trigger_rule=TriggerRule.NONE_SKIPPED)
        case _:
            return _work(step)


def _work(step: Step, **options: Any) -> BaseOperator:
    """Return the task of a step whose work its id names; steps that write marts wait for each other."""
    if color := WRITERS.get(step.task_id):
        return WriterOperator(task_id=step.task_id, color=color, **options)
    return StepOperator(task_id=step.task_id, color=OTHERS[step.task_id], **options)
