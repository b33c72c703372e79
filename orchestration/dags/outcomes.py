"""Records how each run of a DAG ends, and tells people of a failure and of the end of it (specification, section 6.3).

Airflow calls these functions after a task has failed and after a run has ended; what they need is imported then. They
never fail a run: what goes wrong in them is in the log, and a message that reached nobody is counted.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.context import Context


LOG = logging.getLogger(__name__)
REASON = "failure_reason"  # the key of an XCom
LONGEST_REASON = 2000  # characters


def keep_reason(context: Context) -> None:
    """Keep why a task failed, for the message about its run; Airflow itself has it in the log only."""
    error = context.get("exception")
    if error:
        context["task_instance"].xcom_push(REASON, str(error)[:LONGEST_REASON])


def run_succeeded(context: Context) -> None:
    """Record a run that succeeded, and say that the DAG is well again if it was failing."""
    _ended(context, None)


def run_failed(context: Context) -> None:
    """Record a run that failed, and say what failed, since when, and why."""
    run = context["dag_run"]
    failed = [task for task in run.get_task_instances() if task.state == "failed"]
    failed.sort(key=lambda task: task.end_date or datetime.now(UTC))
    _ended(context, _why(failed, str(context.get("reason") or "")))


def _why(failed: Sequence[TaskInstance], reason: str) -> str:
    """Return the first failed task, why it failed, and where its log is."""
    if not failed:
        return f"No task failed; Airflow says: {reason or 'nothing'}."
    first = failed[0]
    why = first.xcom_pull(task_ids=first.task_id, key=REASON) or "its process ended without an error"
    others = f" (and {len(failed) - 1} more)" if failed[1:] else ""
    return f"Step {first.task_id}{others}: {why}\nLog: {first.log_url}"


def _ended(context: Context, message: str | None) -> None:
    from orchestration.config.files import load_settings
    from orchestration.monitoring.announce import record_and_tell
    from orchestration.monitoring.outcomes import Ended

    run = context["dag_run"]
    ended_at = run.end_date or datetime.now(UTC)
    ended = Ended(
        dag_id=run.dag_id,
        run_id=run.run_id,
        ended_at=ended_at,
        interval_end=run.data_interval_end or ended_at,
        message=message,
        step_seconds=_step_seconds(run.get_task_instances()),
    )
    try:
        settings = load_settings()
        enabled = {dag.id for key, dag in settings.dags.items() if settings.is_enabled(key)}
        if run.dag_id in enabled:  # elsewhere the gate has skipped everything
            record_and_tell(settings, ended)
    except Exception:  # the run has ended as it has, whatever happens here
        LOG.exception("The end of %s in %s could not be recorded", ended.run_id, ended.dag_id)


def _step_seconds(tasks: Sequence[TaskInstance]) -> Mapping[str, float]:
    """Return the seconds from the start of a step's first task to the end of its last."""
    times: dict[str, list[Any]] = defaultdict(list)
    for task in tasks:
        if task.start_date and task.end_date:
            times[task.task_id.partition(".")[0]].append((task.start_date, task.end_date))
    return {
        step: (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()
        for step, spans in times.items()
    }
