"""Runs one job of dags.yaml in this process, with the steps, limits and messages of its DAG (decision D237)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from orchestration import flows
from orchestration.config.cron import latest_time
from orchestration.config.files import Settings
from orchestration.errors import BusyError, FailedError, InsightsError, UnavailableError
from orchestration.flows import FLOWS, LONGEST_PAUSE, RETRIES, RETRY_PAUSE, Flow, Step
from orchestration.manifest import marts, read_manifest
from orchestration.monitoring.announce import record_and_tell
from orchestration.monitoring.outcomes import Ended
from orchestration.runs.limits import time_limit
from orchestration.runs.readiness import Needs, lacking, notices, skip_reason
from orchestration.runs.work import BUILD_MODELS, WORK, Run, check_load_log, dbt_command, run_dbt
from orchestration.supervision import stopping_raises
from orchestration.warehouse.source.guard import Confirmed

Pause = Callable[[float], None]


def run_job(  # noqa: PLR0913 - all but three are given by name
    settings: Settings,
    key: str,
    say: Callable[[str], None],
    *,
    as_of: date | None = None,
    confirmed: Confirmed | None = None,
    now: datetime | None = None,
    pause: Pause = time.sleep,
) -> bool:
    """Run the steps of a job; returns whether it ran, False where it is not enabled.

    `as_of` is by default the UTC date of the latest time of its schedule, as in Airflow. The end of the run is recorded
    and told like that of a DAG. `pause` waits for some seconds between two attempts or checks.

    Raises FailedError with the steps that failed, and TimedOutError if the run took longer than its flow allows.
    """
    if reason := skip_reason(settings, key):
        say(reason)
        return False
    started = now or datetime.now(UTC)
    dag = settings.dags[key]
    interval_end = latest_time(dag.schedule, started) or started
    run = Run(settings, as_of or interval_end.date(), confirmed or Confirmed(), say)
    say(f"{dag.id}: as_of is {run.as_of}")
    seconds: dict[str, float] = {}
    why: str | None = "it was interrupted"
    try:
        with stopping_raises(), time_limit(FLOWS[key].run_timeout, f"The run of {dag.id}"):
            failures = _steps(run, key, seconds, pause)
        why = "\n".join(f"Step {step}: {error}" for step, error in failures.items()) or None
    except Exception as error:
        why = _reason(error, seconds)
        raise
    finally:
        run_id = f"host__{interval_end.isoformat()}"
        ended = Ended(dag.id, run_id, datetime.now(UTC), interval_end, why, seconds)
        try:
            record_and_tell(settings, ended)
        except InsightsError as error:  # the run has ended as it has
            say(f"The end of this run could not be recorded: {error}")
    if why:
        raise FailedError(f"{dag.id} failed.\n{why}")
    return True


def _reason(error: Exception, seconds: Mapping[str, float]) -> str:
    """Return what is told about an error that ended a run, with its last step: `seconds` has the steps in order."""
    says = str(error) if isinstance(error, InsightsError) else f"{type(error).__name__}: {error}"
    return f"Step {list(seconds)[-1]}: {says}" if seconds else says


def _steps(run: Run, key: str, seconds: dict[str, float], pause: Pause) -> dict[str, InsightsError]:
    """Run each step after the one before; returns the errors by step, and adds the duration of each.

    After a failure only steps that always run do, as after a failed gate; the failure of one aside stops nothing.
    """
    flow, manifest = FLOWS[key], read_manifest(run.settings)
    limit = flows.step_timeout(flow)
    failures: dict[str, InsightsError] = {}
    is_stopped = False
    for step in flow.steps:
        if is_stopped and not isinstance(step, flows.Always):
            continue
        run.say(f"{step.task_id}: {step.does}")
        begun = time.monotonic()
        try:
            if isinstance(step, flows.Gate):
                with time_limit(limit, "The step"):
                    _wait(run, flow, Needs.of(step, key, manifest), pause)
            else:
                _attempt(partial(_do, run, key, step, manifest), run, limit, pause)
        except InsightsError as error:
            run.say(f"{step.task_id} failed: {error}")
            failures[step.task_id] = error
            is_stopped = is_stopped or not isinstance(step, flows.Aside)
        finally:
            seconds[step.task_id] = time.monotonic() - begun
    return failures


def _do(run: Run, key: str, step: Step, manifest: Mapping[str, Any]) -> object:
    match step:
        case flows.Dbt():
            return run_dbt(run, dbt_command(step.command, step.selector), checks_rows=step.checks_rows)
        case flows.Models():
            return run_dbt(run, [*BUILD_MODELS, "--selector", step.selector])
        case Step("load_log"):
            return check_load_log(run, marts(manifest, dag=key))
        case _:
            return WORK[step.task_id](run)


def _wait(run: Run, flow: Flow, needs: Needs, pause: Pause) -> None:
    """Wait until nothing is missing; raises UnavailableError with what is, after the time of the flow."""
    between, waited = flows.between_checks(flow), timedelta()
    while missing := lacking(run.settings, needs, run.as_of, run.confirmed):
        if waited >= flow.wait:
            raise UnavailableError(f"Waited {waited.total_seconds():.0f} s. {missing}")
        run.say(f"Waiting. {missing}")
        pause(between.total_seconds())
        waited += between
    for notice in notices(run.settings, needs):
        run.say(f"Warning: {notice}")


def _attempt(work: Callable[[], object], run: Run, limit: timedelta, pause: Pause) -> None:
    """Do the work, again after a pause if its error is transient; raises that of the last attempt.

    An attempt that takes longer than `limit` is canceled. While another process writes, the step waits, for at most
    `limit`: in Airflow the pool of writers does.
    """
    attempt, waited = 0, timedelta()
    while True:
        try:
            with time_limit(limit, "The attempt"):
                work()
        except InsightsError as error:
            is_busy = isinstance(error, BusyError)
            if not error.is_transient or (waited >= limit if is_busy else attempt == RETRIES):
                raise
            waits = RETRY_PAUSE if is_busy else min(RETRY_PAUSE * 2**attempt, LONGEST_PAUSE)
            attempt += not is_busy
            run.say(f"{error}\nThe next attempt is in {waits.total_seconds():.0f} s.")
            pause(waits.total_seconds())
            waited += waits
        else:
            return
