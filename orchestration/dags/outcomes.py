"""Records how each run of a DAG ends, and tells people of a failure and of the end of it (specification, section 6.3).

Each step keeps how it ended in an XCom, which its run's callback reads. Airflow calls the callbacks after a run has
ended; what they need is imported then. They never fail a run: what goes wrong in them is in the log, and a message that
reached nobody is counted.
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
    task_states,
)
from orchestration.dags.clock import interval_end
from orchestration.dags.pool import MAKE_POOL, WRITER_POOL

LOG = logging.getLogger(__name__)
OUTCOME = "outcome"  # the key of an XCom, which is a mapping of JSON
Kept = Mapping[str, Any]
LONGEST_REASON = 2000  # characters
TIMED_OUT = "timed_out"  # what Airflow says of a run that took too long
NEVER_BEGAN = f" If a step never began, look at Airflow's pool {WRITER_POOL}: {MAKE_POOL}"
NO_END = "its process ended without an error"


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
    kept = {
        "task_id": task.task_id,
        "began_at": began.isoformat(),
        "ended_at": datetime.now(UTC).isoformat(),
        "reason": reason and reason[:LONGEST_REASON],
        "log_url": task.log_url,
    }
    try:
        task.xcom_push(key=OUTCOME, value=kept)
    except Exception:  # the step has ended as it has
        LOG.exception("How %s ended could not be kept for the message about its run", task.task_id)


def run_succeeded(context: Context) -> None:
    """Record a run that succeeded, and say that the DAG is well again if it was failing."""
    _ended(context, is_failed=False)


def run_failed(context: Context) -> None:
    """Record a run that failed, and say what failed, since when, and why."""
    _ended(context, is_failed=True)


def why(failed: Sequence[str], kept: Sequence[Kept], reason: str) -> str:
    """Return the first failed task, why it failed, and where its log is."""
    if not failed:
        return f"No task failed; Airflow says: {reason or 'nothing'}.{NEVER_BEGAN if reason == TIMED_OUT else ''}"
    first = next((outcome for outcome in kept if outcome["task_id"] in failed), {"task_id": failed[0]})
    others = f" (and {len(failed) - 1} more)" if failed[1:] else ""
    says = f"Step {first['task_id']}{others}: {first.get('reason') or NO_END}"
    return f"{says}\nLog: {first['log_url']}" if "log_url" in first else says


def _ended(context: Context, *, is_failed: bool) -> None:
    from orchestration.config.files import load_settings
    from orchestration.monitoring.announce import record_and_tell
    from orchestration.monitoring.outcomes import Ended

    try:
        settings = load_settings()
        run: Any = context["dag_run"]
        enabled = {dag.id for key, dag in settings.dags.items() if settings.is_enabled(key)}
        if run.dag_id not in enabled:  # the gate has skipped everything
            return
        states = task_states(context)
        kept = _outcomes(context, [*states])
        failed = [task for task, state in states.items() if state == "failed"]
        ended = Ended(
            dag_id=run.dag_id,
            run_id=run.run_id,
            ended_at=run.end_date or datetime.now(UTC),
            interval_end=interval_end(context),
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
