"""Makes the DAGs of config/insights/dags.yaml (specification, section 4) from files only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orchestration.config.files import Settings
from orchestration.dags.airflow_versions import DAG, CronDataIntervalTimetable, Param
from orchestration.dags.clock import as_of_param
from orchestration.dags.confirmations import confirmation_params
from orchestration.dags.operators import WriterOperator
from orchestration.dags.outcomes import run_failed, run_succeeded
from orchestration.dags.steps import make_steps
from orchestration.flows import FLOWS, LONGEST_PAUSE, RETRIES, RETRY_PAUSE, step_timeout
from orchestration.manifest import current_manifest

START = datetime(2024, 1, 1, tzinfo=UTC)  # irrelevant, because catchup is off

_DOC = """{description}

Schedule: `{schedule}` UTC in {environments}. In other environments it has no schedule, and a triggered run is skipped.
Name in Orgo's job queue: `{queue_job_id}`.

{steps}

Parameter `as_of`: data before this UTC date counts. Default: the date on which the run's data interval ends. Running
again with the same `as_of` changes nothing. If a step fails, see docs/airflow.md.

Parameters `accept_vanished` and `accept_cutoff`: confirm a load that was refused, see docs/operations.md.
"""


def build_dags(settings: Settings) -> list[DAG]:
    """Return the DAGs of the inventory, scheduled if they are enabled in the ENVIRONMENT of the settings.

    Raises MisconfiguredError if dbt's manifest is missing or was made from other files.
    """
    manifest = current_manifest()
    return [_build(settings, key, manifest) for key in settings.dags]


def _build(settings: Settings, key: str, manifest: Mapping[str, Any]) -> DAG:
    spec, flow, owner = settings.dags[key], FLOWS[key], settings.insights.etl.owner_email
    is_enabled = settings.is_enabled(key)
    dag = DAG(
        dag_id=spec.id,
        description=spec.description,
        # Explicit, so that the run at 02:00 has the data interval that ends at 02:00, whatever Airflow's default is.
        schedule=CronDataIntervalTimetable(spec.schedule, timezone="UTC") if is_enabled else None,
        start_date=START,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=flow.run_timeout,
        on_success_callback=run_succeeded,
        on_failure_callback=run_failed,
        tags=[spec.queue_job_id],
        params={
            "as_of": as_of_param(),
            **confirmation_params(),
            "queue_job_id": Param(spec.queue_job_id, const=spec.queue_job_id, description="Name in Orgo's queue."),
        },
        owner_links={owner: f"mailto:{owner}"},
        doc_md=_DOC.format(
            description=spec.description,
            schedule=spec.schedule,
            environments=", ".join(spec.enabled_environments),
            queue_job_id=spec.queue_job_id,
            steps="\n".join(f"{number}. `{step.task_id}`: {step.does}" for number, step in enumerate(flow.steps, 1)),
        ),
        default_args={
            "owner": owner,
            "retries": RETRIES,
            "retry_delay": RETRY_PAUSE,
            "retry_exponential_backoff": True,
            "max_retry_delay": LONGEST_PAUSE,
            "execution_timeout": step_timeout(flow),
        },
    )
    with dag:
        make_steps(key, flow, manifest)
    for task in dag.tasks:
        if isinstance(task, WriterOperator):
            task.queue = settings.insights.etl.queue
    return dag
