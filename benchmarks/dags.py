"""Time the DAGs: parsing their file beside Cosmos with `dbt ls`, a task's overhead, the daily load beside a dbt build.

Starts a private PostgreSQL with the sample, twice, in a temporary folder, prints one Markdown table and leaves nothing
behind. Everything runs in this machine's one process after another, as `airflow dags test` does; a scheduler adds what
its executor takes. README.md says what is compared with what.
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
from pathlib import Path

import click

from orchestration import dbt
from orchestration.config.files import PROJECT, load_settings
from orchestration.local import LocalPostgres, remove_state, state_root
from orchestration.manifest import write_manifest
from orchestration.operational.sample import SAMPLE_AS_OF, load_sample
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialise

DAG_ID = "insights_daily_events_load"

# Run in a process of its own: seconds to import Airflow, to parse our file for the first time, and once more.
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
    assert not bag.import_errors and len(bag.dags) == 6, bag.import_errors
    return time.perf_counter() - before
cold = time.perf_counter() - imported + parse()
print("SECONDS", imported - started, cold, parse())
"""


@click.command()
@click.option("--runs", default=3, show_default=True, help="How often each figure is taken; the least counts.")
def main(runs: int) -> None:
    """Print the figures as one Markdown table."""
    with _workshop() as urls:
        manifest = _least(_parse("manifest") for _ in range(runs))
        listed = _least([_parse("dbt ls")])
        dag_seconds, calls = _run_dag(urls[0])
        layer, marts = _plain_build(urls[1])
        tasks = [seconds for command, seconds in calls if command[0] == "run"]
        print("\n| what | seconds |\n| --- | --- |")
        print(f"| import airflow | {manifest[0]:.2f} |")
        print(f"| parse the file, cold, Cosmos with the manifest | {manifest[1]:.2f} |")
        print(f"| parse the file, warm, Cosmos with the manifest | {manifest[2]:.2f} |")
        print(f"| parse the file, cold, Cosmos with dbt ls | {listed[1]:.2f} |")
        print(f"| parse the file, warm, Cosmos with dbt ls | {listed[2]:.2f} |")
        print(f"| {DAG_ID}, whole | {dag_seconds:.1f} |")
        print(f"| ..., its {len(calls)} dbt commands | {sum(seconds for _, seconds in calls):.1f} |")
        print(f"| ..., its {len(tasks)} marts, a task each | {sum(tasks):.1f} |")
        print(f"| the same marts in one dbt run | {marts:.1f} |")
        print(f"| a mart's task more than its share of one run | {(sum(tasks) - marts) / len(tasks):.1f} |")
        print(f"| plain dbt build of the same models and tests | {layer:.1f} |")
        print(f"| {DAG_ID} / plain dbt build | {dag_seconds / layer:.1f} |")


def _least(samples: Iterator[list[float]] | list[list[float]]) -> list[float]:
    return [min(values) for values in zip(*samples, strict=True)]


def _parse(mode: str) -> list[float]:
    command = [sys.executable, "-c", PARSE, str(PROJECT / "dags"), mode]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in said.splitlines() if line.startswith("SECONDS"))
    return [float(word) for word in line.split()[1:]]


def _run_dag(url: str) -> tuple[float, list[tuple[list[str], float]]]:
    """Wall seconds of the daily load, and of each dbt command in it."""
    import pendulum  # noqa: PLC0415 - Airflow reads its variables when it is imported
    from airflow.models.dagbag import DagBag  # noqa: PLC0415
    from airflow.models.pool import Pool  # noqa: PLC0415
    from airflow.utils import db  # noqa: PLC0415

    db.initdb(load_connections=False)
    Pool.create_or_update_pool("insights_writer", 1, "One writer", include_deferred=False)
    os.environ["INSIGHTS_WAREHOUSE_URL"] = url
    calls: list[tuple[list[str], float]] = []
    run = dbt.run

    def timed(settings, command, **options):  # type: ignore[no-untyped-def]
        before = time.perf_counter()
        done = run(settings, command, **options)
        calls.append((list(command), time.perf_counter() - before))
        return done

    dbt.run = timed
    dag = DagBag(PROJECT / "dags", include_examples=False).dags[DAG_ID]
    before = time.perf_counter()
    done = dag.test(execution_date=pendulum.datetime(2026, 1, 1, 2), run_conf={"as_of": SAMPLE_AS_OF.isoformat()})
    seconds = time.perf_counter() - before
    dbt.run = run
    if done.state != "success":
        sys.exit("the DAG failed")
    return seconds, calls


def _plain_build(url: str) -> tuple[float, float]:
    """Wall seconds of one dbt build of what the DAG builds and tests, and of one dbt run of its marts, both anew."""
    from orchestration.dags.flows import EVENTS, EVENTS_LAYER, EVENTS_MARTS  # noqa: PLC0415 - imports Airflow

    settings = load_settings()
    everything = ["--select", *EVENTS_LAYER.select, *EVENTS.select, "--exclude", *EVENTS.exclude]
    command = ["build", *dbt.NO_UNIT_TESTS, *everything, "--indirect-selection", "buildable"]
    seconds = []
    for arguments in (command, ["run", *EVENTS_MARTS.arguments()]):
        before = time.perf_counter()
        done = dbt.write(settings, arguments, url=url, variables=dbt.as_of_variable(SAMPLE_AS_OF))
        seconds.append(time.perf_counter() - before)
        if done.exit_code:
            sys.exit("dbt failed")
    return seconds[0], seconds[1]


@contextmanager
def _workshop() -> Iterator[list[str]]:
    """Two prepared databases with the sample, as the ETL role sees them; Airflow and dbt have a folder of their own."""
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
        for name in ("airflow_side", "dbt_side"):
            server.create_database(name)
            with connect(server.url(name, "postgres")) as connection:
                load_sample(connection)
                initialise(connection, settings)
        user = settings.insights.warehouse.write_user
        yield [server.url("airflow_side", user), server.url("dbt_side", user)]
    finally:
        server.stop()
        remove_state(state)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
