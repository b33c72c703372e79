"""Workers of Celery with Redis as broker run a step of each DAG; those that write wait for a worker of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from support.airflow.airflow_dags import IS_AIRFLOW_2
from support.saved_parse import save_for_insights
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT, load_settings
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalRedis

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(not IS_AIRFLOW_2, reason="its provider is locked for Airflow 2.8 only"),
]

SECONDS = 180
# One step of each DAG: those that write are in a queue of their own.
WRITING = {
    "insights_daily_events_load": "purge",
    "insights_monthly_trend_report": "review.pattern_monthly",
}
OTHERS = {
    "insights_daily_dimensions_sync": "load_log",
    "insights_weekly_pattern_review": "gate",
    "insights_yearly_systemic_review": "send_reviews",
    "insights_cache_warmup_dashboards": "warm",
}
# Makes the metadata, and a run of each DAG; sends one of its steps to the executor that Airflow is configured with.
SEND = """
import json, sys
import pendulum
from airflow.executors.executor_loader import ExecutorLoader
from airflow.models.dagbag import DagBag
from airflow.models.pool import Pool
from airflow.utils import db
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType

steps, at = json.loads(sys.argv[1]), pendulum.parse(sys.argv[2])
db.initdb(load_connections=False)
Pool.create_or_update_pool("insights_writer", 1, "One writer", include_deferred=False)
bag = DagBag(include_examples=False)
assert not bag.import_errors, bag.import_errors
executor = ExecutorLoader.get_default_executor()
executor.start()
for dag_id, step in steps.items():
    dag = bag.dags[dag_id]
    dag.sync_to_db()
    run = dag.create_dagrun(
        state=DagRunState.QUEUED, execution_date=at, run_type=DagRunType.MANUAL, data_interval=(at, at),
        conf={"as_of": at.date().isoformat()},
    )
    found = run.get_task_instance(step)
    found.refresh_from_task(dag.get_task(step))
    executor.queue_command(found, found.command_as_list(ignore_all_deps=True), queue=found.queue)
executor.heartbeat()
assert not executor.queued_tasks, executor.queued_tasks
"""
STATES = """
    select dag_id, state, queue from task_instance
    where (dag_id, task_id) in (select * from unnest(%s::text[], %s::text[]))
"""


@contextmanager
def _worker(queue: str, environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker of one queue, which ends with the block."""
    arguments = ["celery", "worker", "--queues", queue, "--concurrency", "1", "--skip-serve-logs", "--without-mingle"]
    arguments += ["--celery-hostname", f"{queue}@localhost"]
    with (folder / f"{queue}.log").open("w") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("airflow"), *arguments],
            env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


def test_a_step_of_each_dag_runs_in_the_worker_of_its_queue(
    built: Warehouse, manifest: Path, database: str, redis_server: LocalRedis, tmp_path: Path
) -> None:
    socket = quote(redis_server.url().removeprefix("unix://").partition("?")[0], safe="/")
    environment = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CELERY__BROKER_URL": f"redis+socket://{socket}?virtual_host=2",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"redis+socket://{socket}?virtual_host=3",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.replace("postgresql://", "postgresql+psycopg2://"),
        "INSIGHTS_ENV": "prod",
        "INSIGHTS_WAREHOUSE_URL": built.etl_url,
        "INSIGHTS_REDIS_URL": redis_server.url(),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_ENV", "prod")
        save_for_insights(load_settings(), built.etl_url, as_of=str(SAMPLE_AS_OF))
    steps = WRITING | OTHERS
    _run(environment, "-c", SEND, json.dumps(steps), f"{SAMPLE_AS_OF}T00:00:00+00:00")
    queues = dict.fromkeys(WRITING, "insights_etl") | dict.fromkeys(OTHERS, "default")
    with _worker("default", environment, tmp_path) as worker:
        _wait(database, steps, dict.fromkeys(OTHERS, ("success", "default")), worker, tmp_path)
        left = _states(database, steps)
        assert {dag: left[dag] for dag in WRITING} == dict.fromkeys(WRITING, (None, "insights_etl"))
        with _worker("insights_etl", environment, tmp_path) as writer:
            _wait(database, steps, {dag: ("success", queue) for dag, queue in queues.items()}, writer, tmp_path)


def _run(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def _states(database: str, steps: dict[str, str]) -> dict[str, tuple[str | None, str]]:
    with psycopg.connect(database) as connection:
        rows = connection.execute(STATES, [list(steps), list(steps.values())]).fetchall()
    return {dag: (state, queue) for dag, state, queue in rows}


def _wait(
    database: str,
    steps: dict[str, str],
    expected: dict[str, tuple[str, str]],
    worker: subprocess.Popen[bytes],
    folder: Path,
) -> None:
    """Wait until these steps are in these states; fails with the end of the workers' logs."""
    deadline = time.monotonic() + SECONDS
    while not expected.items() <= (found := _states(database, steps)).items():
        logs = "".join(log.read_text()[-3000:] for log in folder.glob("*.log"))
        assert not any(state == "failed" for state, _ in found.values()), f"{found}\n{logs}"
        assert worker.poll() is None, f"the worker has ended\n{logs}"
        assert time.monotonic() < deadline, f"{found}\n{logs}"
        time.sleep(0.2)
