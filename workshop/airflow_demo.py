"""Run the DAGs in a real Airflow against a warehouse built from the sample.

The warehouse is separate from the one of `./dev demo`, because a run without `as_of` uses today's date and purges
every row past its retention by that date. dbt's artifacts are separate from the checkout's too, because dbt runs of
two environments would overwrite each other's artifacts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestration.config.files import PROJECT, Settings
from orchestration.errors import NotFoundError
from orchestration.warehouse.connection import connect
from workshop import demo
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalAirflow, LocalRedis, state_root
from workshop.services.airflow_api import AirflowApi, Run
from workshop.services.airflow_releases import installed_release

DATABASE = "demo_airflow"
DAGS = PROJECT / "dags"
DAG_SECONDS = 120
RUN_SECONDS = 3600


def describe(settings: Settings) -> demo.Demo:
    """Return the demo that the private Airflow works on; starts nothing."""
    return demo.Demo(settings, state_root(PROJECT), DATABASE, SAMPLE_AS_OF)


def private_airflow(job: demo.Demo) -> LocalAirflow:
    """Return this checkout's Airflow, configured so that its DAGs work on `job`; starts nothing."""
    variables = {
        "INSIGHTS_ENV": job.settings.environment,
        "INSIGHTS_WAREHOUSE_URL": job.warehouse_url,
        "INSIGHTS_REDIS_URL": LocalRedis(job.state).url(),
        **dbt_folders(job),
    }
    return LocalAirflow(job.state, DAGS, variables)


def dbt_folders(job: demo.Demo) -> dict[str, str]:
    """Return the environment variables for the folders of dbt's artifacts and log in this Airflow."""
    folder = job.state / f"airflow{installed_release().suffix}"
    return {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs" / "dbt")}


def is_built(job: demo.Demo) -> bool:
    """Tell whether the warehouse is completely built.

    Checks for the table of review requests, which a build creates last.
    """
    table = f"{job.settings.insights.warehouse.schema_name}_ops.review_requests"
    with connect(job.admin_url) as connection:
        return connection.execute("select to_regclass(%s)", [table]).fetchone() != (None,)


def dag_ids(job: demo.Demo, requested: Sequence[str]) -> list[str]:
    """Return the requested DAG ids, or all ids of config/insights/dags.yaml when none is requested.

    The file lists the loads before the DAGs that depend on them. Raises NotFoundError for an unknown id.
    """
    known = [dag.id for dag in job.settings.dags.values()]
    if unknown := [dag for dag in requested if dag not in known]:
        raise NotFoundError(f"There is no DAG {unknown[0]}; config/insights/dags.yaml has {', '.join(known)}.")
    return [*requested] or known


def run_dag(
    job: demo.Demo, dag: str, progress: Callable[[int, int], None] | None = None
) -> tuple[Run, dict[str, str | None]]:
    """Trigger a DAG with the sample's `as_of`, wait for it, and return the finished run and each task's state.

    `progress` gets the number of tasks that have ended, and that of all.

    Raises UnavailableError when Airflow does not respond, and NotFoundError when it has no such DAG.
    """
    api = AirflowApi(private_airflow(job))
    api.wait_for_dag(dag, DAG_SECONDS)
    run = api.wait(api.trigger(dag, {"as_of": job.as_of.isoformat()}), RUN_SECONDS, progress)
    return run, api.tasks(run)
