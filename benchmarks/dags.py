"""Time the DAGs: parsing against Cosmos with `dbt ls`, overhead per task, and the daily load against a dbt build.

Starts a private PostgreSQL in a temporary folder, prints one Markdown table and removes everything afterwards. Every
side gets a new copy of the sample. One process runs the tasks in sequence, like `airflow dags test`; with --scheduler
the load also runs under a private Airflow. README.md explains the comparison.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

import click
from psycopg import sql

from orchestration import dbt
from orchestration.config.files import PROJECT, load_settings
from orchestration.flows import FACTS, FLOWS
from orchestration.manifest import marts, read_manifest, write_manifest
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.sample.load import SAMPLE_AS_OF, load_sample
from workshop.services import LocalAirflow, LocalPostgres, remove_state, state_root
from workshop.services.airflow_api import AirflowApi

DAG_ID = "insights_daily_events_load"

# Runs in a separate process and prints the seconds to import Airflow, to parse the DAG file, and to parse it again.
PARSE = """
import time, sys
started = time.perf_counter()
import airflow
from airflow.models.dagbag import DagBag
imported = time.perf_counter()
if sys.argv[2] == "dbt ls":
    from types import SimpleNamespace
    from cosmos.constants import LoadMode
    from orchestration.dags import rendering
    rendering.LoadMode = SimpleNamespace(DBT_MANIFEST=LoadMode.DBT_LS)
def parse():
    before = time.perf_counter()
    bag = DagBag(sys.argv[1], include_examples=False)
    assert not bag.import_errors and bag.dags, bag.import_errors
    return time.perf_counter() - before
cold = time.perf_counter() - imported + parse()
print("SECONDS", imported - started, cold, parse())
"""


@click.command()
@click.option("--runs", default=3, show_default=True, help="Number of measurements, of which the minimum counts.")
@click.option("--scheduler", is_flag=True, help="Also time the load under a private Airflow.")
def main(runs: int, scheduler: bool) -> None:
    """Time the DAGs and print one Markdown table."""
    with _workshop() as workshop:
        manifest = _minimum(_parse("manifest") for _ in range(runs))
        listed = _minimum([_parse("dbt ls")])
        _dbt(workshop.copy("parsed"), ["parse"])  # a changed as_of causes a full parse, which no side must pay for
        dag_seconds, calls = _run_dag(workshop.copy("dag"))
        separate = _run_marts_separately(workshop.copy("apart"))
        plain = _plain_build(workshop.copy("plain"))
        scheduled = _run_scheduled(workshop, workshop.copy("scheduled")) if scheduler else {}
        marts = [seconds for command, seconds in calls if command[0] == "run"]
        print("\n| what | seconds |\n| --- | --- |")
        print(f"| import airflow | {manifest[0]:.2f} |")
        print(f"| parse the file, cold, Cosmos with the manifest | {manifest[1]:.2f} |")
        print(f"| parse the file, warm, Cosmos with the manifest | {manifest[2]:.2f} |")
        print(f"| parse the file, cold, Cosmos with dbt ls | {listed[1]:.2f} |")
        print(f"| parse the file, warm, Cosmos with dbt ls | {listed[2]:.2f} |")
        print(f"| {DAG_ID}, whole | {dag_seconds:.1f} |")
        print(f"| ..., its {len(calls)} dbt commands | {sum(seconds for _, seconds in calls):.1f} |")
        print(f"| ..., its {len(separate)} marts, in {len(marts)} dbt runs | {sum(marts):.1f} |")
        print(f"| the same marts, a dbt run each | {sum(separate):.1f} |")
        print(f"| plain dbt build of the same models and tests | {plain:.1f} |")
        print(f"| {DAG_ID} / plain dbt build | {dag_seconds / plain:.1f} |")
        for what, seconds in scheduled.items():
            print(f"| {what} | {seconds:.1f} |")


def _minimum(samples: Iterator[list[float]] | list[list[float]]) -> list[float]:
    return [min(values) for values in zip(*samples, strict=True)]


def _parse(mode: str) -> list[float]:
    command = [sys.executable, "-c", PARSE, str(PROJECT / "dags"), mode]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in output.splitlines() if line.startswith("SECONDS"))
    return [float(word) for word in line.split()[1:]]


def _run_dag(url: str) -> tuple[float, list[tuple[list[str], float]]]:
    """Return the wall seconds of the daily load, and each dbt command in it with its seconds."""
    import pendulum  # noqa: PLC0415 - Airflow reads its variables at import
    from airflow.models.dagbag import DagBag  # noqa: PLC0415
    from airflow.models.pool import Pool  # noqa: PLC0415
    from airflow.utils import db  # noqa: PLC0415

    db.initdb(load_connections=False)
    Pool.create_or_update_pool("insights_writer", 1, "One writer", include_deferred=False)
    os.environ["INSIGHTS_WAREHOUSE_URL"] = url
    calls: list[tuple[list[str], float]] = []
    write = dbt.write

    def timed(settings, command, **options):  # type: ignore[no-untyped-def]
        before = time.perf_counter()
        done = write(settings, command, **options)
        calls.append((list(command), time.perf_counter() - before))
        return done

    dbt.write = timed
    dag = DagBag(PROJECT / "dags", include_examples=False).dags[DAG_ID]
    before = time.perf_counter()
    done = dag.test(execution_date=pendulum.datetime(2026, 1, 1, 2), run_conf={"as_of": SAMPLE_AS_OF.isoformat()})
    seconds = time.perf_counter() - before
    dbt.write = write
    if done.state != "success":
        sys.exit("the DAG failed")
    return seconds, calls


def _run_marts_separately(url: str) -> list[float]:
    """Return the wall seconds of a separate dbt run per mart of the load, in the order of their dependencies."""
    manifest = read_manifest(load_settings())
    facts = marts(manifest, dag=FACTS.dag, folder=FACTS.folder)
    reports = [name for name in marts(manifest, dag=FACTS.dag) if name not in facts]
    _dbt(url, ["build", *dbt.NO_UNIT_TESTS, "--selector", "events_layer"])
    seconds = [_dbt(url, ["run", "--select", name]) for name in facts]
    _dbt(url, ["run", "--select", f"tag:{FACTS.dag},path:models/intermediate"])  # a view, which is not counted
    return seconds + [_dbt(url, ["run", "--select", name]) for name in reports]


def _plain_build(url: str) -> float:
    """Return the wall seconds of one dbt build of everything that the DAG builds and tests."""
    # The one selection that no step has: the layer, the facts and the reports together.
    layer = [f"path:{folder}" for folder in ("seeds", "models/staging", "models/intermediate", "models/ops")]
    everything = ["--select", *layer, f"tag:{FACTS.dag}"]
    others = [f"tag:{key}" for key in FLOWS if key != FACTS.dag]
    command = ["build", *dbt.NO_UNIT_TESTS, *everything, "--exclude", *others, "--indirect-selection", "buildable"]
    return _dbt(url, command)


def _dbt(url: str, command: list[str]) -> float:
    before = time.perf_counter()
    done = dbt.write(load_settings(), command, url=url, variables=dbt.as_of_variable(SAMPLE_AS_OF))
    if done.exit_code:
        sys.exit("dbt failed")
    return time.perf_counter() - before


def _run_scheduled(workshop: Workshop, url: str) -> dict[str, float]:
    """Return figures of the load under a scheduler in seconds, from Airflow's metadata and task logs."""
    variables = {name: os.environ[name] for name in ("INSIGHTS_ENV", "DBT_TARGET_PATH", "DBT_LOG_PATH")}
    airflow = LocalAirflow(workshop.state, PROJECT / "dags", {**variables, "INSIGHTS_WAREHOUSE_URL": url})
    airflow.start()
    try:
        api = AirflowApi(airflow)
        api.wait_for_dag(DAG_ID, 120)
        run = api.wait(api.trigger(DAG_ID, {"as_of": SAMPLE_AS_OF.isoformat()}), 600)
        if run.state != "success":
            sys.exit("the DAG failed under the scheduler")
        with connect(airflow.metadata_url) as metadata:
            query = "select extract(epoch from end_date - start_date)::float from dag_run where run_id = %s"
            (whole,) = metadata.execute(query, [run.run_id]).fetchall()[0]
            query = "select task_id, start_date, end_date from task_instance where run_id = %s order by start_date"
            tasks = metadata.execute(query, [run.run_id]).fetchall()
        pauses = [(after[1] - before[2]).total_seconds() for before, after in pairwise(tasks)]
        logs = airflow.folder / "logs" / f"dag_id={DAG_ID}" / f"run_id={run.run_id}"
        begins = [
            (first - start).total_seconds()
            for task, start, _ in tasks
            if (first := _first_line_of_dbt(logs / f"task_id={task}" / "attempt=1.log"))
        ]
        return {
            f"{DAG_ID} under a scheduler, whole": whole,
            "..., from the end of a task to the start of the next, median": median(pauses),
            "..., from the start of a task to the first line of its dbt, median": median(begins),
            "..., load_log (one query), from the end of the task before it to its own": (
                tasks[-1][2] - tasks[-2][2]
            ).total_seconds(),
        }
    finally:
        airflow.stop()


def _first_line_of_dbt(log: Path) -> datetime | None:
    for line in log.read_text(encoding="utf-8").splitlines():
        if "Running with dbt" in line:
            return datetime.strptime(line[1:29], "%Y-%m-%dT%H:%M:%S.%f%z")
    return None


@dataclass(frozen=True)
class Workshop:
    """A server with a prepared sample, and its state folder."""

    server: LocalPostgres
    state: Path

    def copy(self, name: str) -> str:
        """Create a copy of the sample and return its URL for the ETL role."""
        with connect(self.server.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("create database {} template sample").format(sql.Identifier(name)))
        return self.server.url(name, load_settings().insights.warehouse.write_user)


@contextmanager
def _workshop() -> Iterator[Workshop]:
    """Prepare a database with the sample to copy, and temporary folders for Airflow and dbt."""
    folder = Path(tempfile.mkdtemp(prefix="orgo-insights-dags-"))
    os.environ |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__COSMOS__ENABLE_CACHE": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "INSIGHTS_ENV": "prod",
    }
    settings = load_settings()
    write_manifest(settings)
    state = state_root(folder)
    server = LocalPostgres(state)
    server.start()
    try:
        server.create_database("sample")
        with connect(server.url("sample", "postgres")) as connection:
            load_sample(connection)
            initialize(connection, settings)
        yield Workshop(server, state)
    finally:
        server.stop()
        remove_state(state)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
