"""Records how each run of a DAG ends, and tells people of a failure and of the end of it (specification, section 6.3).

Each step stores its outcome in an XCom, which the callback of its run reads. Airflow calls the callbacks when a run has
ended, and only then do they import what they need. A callback never fails a run: its errors go to the log, and messages
that could not be delivered are counted.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from orchestration.dags.airflow_versions import (
    AirflowRescheduleException,
    AirflowSkipException,
    Context,
    EndedTask,
    ended_tasks,
)
from orchestration.dags.clock import interval_end
from orchestration.dags.pool import MAKE_POOL, WRITER_POOL

LOG = logging.getLogger(__name__)
OUTCOME = "outcome"  # the key of an XCom, which is a mapping of JSON
Kept = Mapping[str, Any]
LONGEST_REASON = 2000  # characters
TIMED_OUT = "timed_out"  # what Airflow says of a run that took too long
NEVER_BEGAN = f" If a step never began, look at Airflow's pool {WRITER_POOL}: {MAKE_POOL}"
NO_END = "it ended without a reason, as when its process is killed; its log may say more"


@contextmanager
def keeping_outcome(context: Context) -> Iterator[None]:
    """Keep when a step began and ended, why it failed, and where its log is; Airflow has the reason in the log only."""
    task: Any = context["ti"]
    began = task.start_date or datetime.now(UTC)
    try:
        yield
    except AirflowRescheduleException:  # the step goes on later
        raise
    except AirflowSkipException:
        _keep(task, began, None)
        raise
    except BaseException as error:  # a time limit too
        _keep(task, began, str(error) or type(error).__name__)
        raise
    _keep(task, began, None)


def _keep(task: Any, began: datetime, reason: str | None) -> None:
    try:
        kept = {
            "task_id": task.task_id,
            "began_at": began.isoformat(),
            "ended_at": datetime.now(UTC).isoformat(),
            "reason": reason and reason[:LONGEST_REASON],
            "log_url": task.log_url,
        }
        task.xcom_push(key=OUTCOME, value=kept)
    except Exception:  # the step has ended as it has
        LOG.exception("How %s ended could not be kept for the message about its run", task.task_id)


def run_succeeded(context: Context) -> None:
    """Record a run that succeeded, and say that the DAG is well again if it was failing."""
    _ended(context, is_failed=False)


def run_failed(context: Context) -> None:
    """Record a run that failed, and say what failed, since when, and why."""
    _ended(context, is_failed=True)


def why(failed: Sequence[EndedTask], kept: Sequence[Kept], reason: str) -> str:
    """Return the first failed task, why it failed, and where its log is; and one which says why, if that does not.

    A task that was killed has kept nothing. Where none has failed, one may have waited for its next attempt.
    """
    told = [outcome for outcome in kept if outcome["reason"]]
    if not failed:
        says = f"No task failed; Airflow says: {reason or 'nothing'}."
        if told:
            return f"{says} {_step(told[-1])}"
        has_only_gate = len(kept) < 2  # noqa: PLR2004 - no other step has begun
        return f"{says}{NEVER_BEGAN}" if reason == TIMED_OUT and has_only_gate else says
    names = {task.task_id for task in failed}
    told = [outcome for outcome in told if outcome["task_id"] in names]
    silent = [task for task in failed if task.task_id not in {outcome["task_id"] for outcome in told}]
    first = [{"task_id": task.task_id, "reason": NO_END, "log_url": task.log_url} for task in silent[:1]]
    shown = [*first, *told[:1]]
    return "\n".join(_step(outcome, len(failed) - len(shown) if outcome is shown[0] else 0) for outcome in shown)


def _step(outcome: Kept, others: int = 0) -> str:
    more = f" (and {others} more)" if others else ""
    says = f"Step {outcome['task_id']}{more}: {outcome['reason']}"
    return f"{says}\nLog: {outcome['log_url']}" if outcome["log_url"] else says


def _ended(context: Context, *, is_failed: bool) -> None:
    from orchestration.config.files import load_settings
    from orchestration.monitoring.announce import record_and_tell
    from orchestration.monitoring.outcomes import Ended

    try:
        settings = load_settings()
        dag_id = context["dag"].dag_id
        enabled = {dag.id for key, dag in settings.dags.items() if settings.is_enabled(key)}
        if dag_id not in enabled:  # the gate has skipped everything
            return
        run: Any = context.get("dag_run")  # Airflow 3 gives neither run nor tasks where a task has left the DAG since
        tasks = ended_tasks(context) if run else []
        kept = _outcomes(context, [task.task_id for task in tasks]) if run else []
        failed = [task for task in tasks if task.state == "failed"]
        ended_at = (run and run.end_date) or datetime.now(UTC)
        ended = Ended(
            dag_id=dag_id,
            run_id=context["run_id"],
            ended_at=ended_at,
            interval_end=interval_end(context) if run else ended_at,
            message=why(failed, kept, str(context.get("reason") or "")) if is_failed else None,
            step_seconds=step_seconds(kept),
        )
        record_and_tell(settings, ended)
    except Exception:  # the run has ended as it has, whatever happens here
        LOG.exception("The end of %s could not be recorded", context["run_id"])


def _outcomes(context: Context, tasks: Sequence[str]) -> list[Kept]:
    """Return what the tasks of a run have kept, the first to end first."""
    task: Any = context["ti"]
    found = [outcome for outcome in task.xcom_pull(task_ids=tasks, key=OUTCOME) if outcome]
    return sorted(found, key=lambda outcome: datetime.fromisoformat(outcome["ended_at"]))


def step_seconds(kept: Sequence[Kept]) -> Mapping[str, float]:
    """Return the seconds from the start of a step's first task to the end of its last."""
    times: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for outcome in kept:
        began, ended = (datetime.fromisoformat(outcome[name]) for name in ("began_at", "ended_at"))
        times[outcome["task_id"].partition(".")[0]].append((began, ended))
    return {
        step: (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()
        for step, spans in times.items()
    }
