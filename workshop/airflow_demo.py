"""A real Airflow on the sample: the private services, a built warehouse of its own, and the six DAGs for Airflow.

The warehouse is not the one of `./dev demo`: a run without `as_of` counts by today's date, and purges by it what is
past its retention. Nor are dbt's artifacts the checkout's: dbt of two environments would spoil each other's.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.config.files import PROJECT, Settings
from orchestration.errors import InsightsError
from orchestration.warehouse.connection import connect
from workshop import demo
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalAirflow, LocalRedis, state_root
from workshop.services.airflow_api import AirflowApi, Run

DATABASE = "demo_airflow"
DAGS = PROJECT / "dags"
SEEN_SECONDS = 120
RUN_SECONDS = 3600


def describe(settings: Settings) -> demo.Demo:
    """The sample in the database that belongs to this Airflow; nothing is started yet."""
    return demo.Demo(settings, state_root(PROJECT), DATABASE, SAMPLE_AS_OF)


def private_airflow(job: demo.Demo) -> LocalAirflow:
    """The Airflow of this checkout, whose DAGs work on `job`; nothing is started yet."""
    variables = {
        "INSIGHTS_ENV": job.settings.environment,
        "INSIGHTS_WAREHOUSE_URL": job.warehouse_url,
        "INSIGHTS_REDIS_URL": LocalRedis(job.state).url(),
        **dbt_folders(job),
    }
    return LocalAirflow(job.state, DAGS, variables)


def dbt_folders(job: demo.Demo) -> dict[str, str]:
    """The variables that say where dbt leaves its artifacts and its log for this Airflow."""
    folder = job.state / "airflow"
    return {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs" / "dbt")}


def is_built(job: demo.Demo) -> bool:
    """Whether the warehouse has been built whole: the review requests come after all the rest."""
    table = f"{job.settings.insights.warehouse.schema_name}_ops.review_requests"
    with connect(job.admin_url) as connection:
        return connection.execute("select to_regclass(%s)", [table]).fetchone() != (None,)


def dag_ids(job: demo.Demo, asked: Sequence[str]) -> list[str]:
    """The ids that were asked for; none means the whole inventory, in which the loads come before what needs them.

    Raises InsightsError for an id that is not in it.
    """
    known = [dag.id for dag in job.settings.dags.values()]
    if unknown := [dag for dag in asked if dag not in known]:
        raise InsightsError(f"There is no DAG {unknown[0]}; config/insights/dags.yaml has {', '.join(known)}.")
    return [*asked] or known


def run_dag(job: demo.Demo, dag: str) -> tuple[Run, dict[str, str | None]]:
    """Trigger a DAG as of the sample's day and wait; returns the ended run and the state of each task.

    Raises InsightsError when Airflow does not answer, or has no such DAG.
    """
    api = AirflowApi(private_airflow(job))
    api.wait_for_dag(dag, SEEN_SECONDS)
    run = api.wait(api.trigger(dag, {"as_of": job.as_of.isoformat()}), RUN_SECONDS)
    return run, api.tasks(run)
