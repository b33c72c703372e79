"""The command `workshop airflow`: start, stop and inspect a private Airflow on the sample, and run its DAGs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from orchestration.cli.progress import step
from orchestration.cli.tables import show_table
from orchestration.errors import UnavailableError

if TYPE_CHECKING:
    from workshop.demo import Demo
    from workshop.services import LocalAirflow


@click.group(invoke_without_command=True)
@click.pass_context
def airflow(context: click.Context) -> None:
    """Run a private Airflow on the sample.

    Without a command, start it.

    Example: workshop airflow
    """
    if context.invoked_subcommand is None:
        context.invoke(start)


@airflow.command()
def start() -> None:
    """Start Airflow on a separate, built warehouse.

    Builds the warehouse first if needed. Restarts programs that were killed, and leaves running ones alone.

    Example: workshop airflow start
    """
    from orchestration.config.files import load_settings
    from orchestration.manifest import write_manifest
    from workshop import airflow_demo, demo

    job = airflow_demo.describe(load_settings())
    private = airflow_demo.private_airflow(job)
    private.folder.mkdir(mode=0o700, exist_ok=True)
    os.environ.update(airflow_demo.dbt_folders(job))
    with step("starting PostgreSQL and Redis"):
        demo.start_services(job)
    if not airflow_demo.is_built(job):
        _build(job)
    with step("parsing the dbt project"):
        write_manifest(job.settings)
    with step("starting Airflow"):
        private.start()
    _describe(private)
    click.echo(
        f"No DAG starts by its schedule here. The sample's day is {job.as_of}: trigger a DAG with that as_of, or"
    )
    click.echo("  ./dev airflow run [DAG...]   # all, or some, one after the other")


@airflow.command()
def stop() -> None:
    """Stop Airflow.

    Keeps users, keys and the history of the runs.

    Example: workshop airflow stop
    """
    _private().stop()


@airflow.command()
def status() -> None:
    """Show whether Airflow runs, its URL and how to log in.

    Example: workshop airflow status
    """
    private = _private()
    health = private.health()
    programs = private.programs().items()
    states = ((name, f"running, process {pid}" if pid else "stopped") for name, pid in programs)
    show_table(states, header=("program", "state"))
    for part in private.release.healthy_parts if health else ():
        click.echo(f"  the {private.release.server} says of the {part}: {health[part]['status']}")
    if private.folder.exists():
        _describe(private)


@airflow.command()
@click.argument("dags", nargs=-1)
def run(dags: tuple[str, ...]) -> None:
    """Trigger DAGS, by default all of them, and wait.

    The runs use the sample's day as `as_of`. The exit code is 1 if a run or task does not succeed.

    Example: workshop airflow run insights_daily_events_load
    """
    from orchestration.config.files import load_settings
    from workshop import airflow_demo

    job = airflow_demo.describe(load_settings())
    if not airflow_demo.private_airflow(job).is_running():
        raise UnavailableError("Airflow does not run. Start it first: ./dev airflow")
    runs: list[tuple[str, str, int]] = []
    unsuccessful: list[tuple[str, str, str]] = []
    for dag in airflow_demo.dag_ids(job, dags):
        with step(dag) as show:
            ended, tasks = airflow_demo.run_dag(job, dag, show)
        runs.append((dag, ended.state, len(tasks)))
        unsuccessful += [(dag, task, state or "not started") for task, state in tasks.items() if state != "success"]
    show_table(runs, header=("DAG", "state", "tasks"))
    if unsuccessful:
        show_table(unsuccessful, header=("DAG", "task", "state"), title="Tasks that did not succeed")
    sys.exit(0 if not unsuccessful and {state for _, state, _ in runs} == {"success"} else 1)


def _private() -> LocalAirflow:
    from orchestration.config.files import load_settings
    from workshop import airflow_demo

    return airflow_demo.private_airflow(airflow_demo.describe(load_settings()))


def _build(job: Demo) -> None:
    from workshop import demo

    with step("filling the operational tables"):
        demo.fill_source(job)
    with step("insights init"):
        demo.prepare_database(job)
    with step("insights build") as progress:
        demo.build(job, progress)


def _describe(private: LocalAirflow) -> None:
    from workshop.services.airflow_secrets import USER

    click.echo(f"\n  {private.url}   user {USER}, password {private.secrets.password}")
    click.echo(f"  logs of the runs: {private.folder / 'logs'}; of the programs: {private.folder}/*.log\n")
