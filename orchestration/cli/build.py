"""`insights build`, `reconcile`, `rebuild` and `run`: the commands that load the warehouse."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import date

import click

from orchestration.cli import options
from orchestration.cli.texts import say

PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True}


@click.command(context_settings=PASS_THROUGH, epilog="Example: insights build --as-of 2026-01-31 --select marts.core")
@options.as_of
@options.confirmations
@click.argument("dbt_arguments", nargs=-1, type=click.UNPROCESSED)
def build(as_of: date | None, accept_vanished: bool, accept_cutoff: bool, dbt_arguments: tuple[str, ...]) -> None:
    """Build the warehouse, then test it.

    The warehouse is the database of INSIGHTS_WAREHOUSE_URL, a file of DuckDB, or a database of Snowflake
    (insights.warehouse.type).
    All other arguments are passed to `dbt build` unchanged.
    A failed data test holds up no model.
    Options that Insights sets itself, such as --target and --vars, and those that leave out rows, are refused.
    Unit tests, which test models and not data, are skipped; `./dev test` and a plain `dbt build` run them.
    """
    from orchestration import dbt, dbt_options
    from orchestration.config.files import load_settings
    from orchestration.warehouse.source.guard import Confirmed

    dbt_options.check_arguments(dbt_arguments)
    settings = load_settings()
    variables = dbt.as_of_variable(as_of)
    confirmed = Confirmed(vanished=accept_vanished, cutoff=accept_cutoff)
    done = dbt.build(settings, dbt_arguments, url=settings.build_url, variables=variables, confirmed=confirmed)
    sys.exit(done.exit_code)


@click.command(epilog="Example: insights reconcile")
@options.as_of
@options.confirmations
def reconcile(as_of: date | None, accept_vanished: bool, accept_cutoff: bool) -> None:
    """Load, repair missed rows, then test all rows.

    Every row is compared with the operational database. Each repaired relation and the time of the tests are printed.
    """
    from orchestration.config.files import load_warehouse_settings
    from orchestration.reconcile import reconcile as run_reconcile
    from orchestration.reconcile import recount
    from orchestration.warehouse.source.guard import Confirmed

    settings = load_warehouse_settings(
        "a file does not see its source change. Take a new snapshot, then: insights rebuild --yes"
    )
    confirmed = Confirmed(vanished=accept_vanished, cutoff=accept_cutoff)
    report = run_reconcile(settings, settings.warehouse_url, as_of, confirmed=confirmed)
    if not report:
        say("No row was missed.")
    for relation, keys in report.items():
        say(f"{relation}: {keys.total} rows repaired, e.g. {', '.join(keys.examples)}")
    say(str(recount(settings, settings.warehouse_url, as_of)))


@click.command(epilog="Example: insights rebuild --yes")
@options.as_of
@options.confirmations
@click.option("--yes", is_flag=True, help="Confirm the rebuild; required.")
def rebuild(as_of: date | None, accept_vanished: bool, accept_cutoff: bool, yes: bool) -> None:
    """Drop the facts and dimensions and build them again.

    Rows that were deleted from the operational database are lost.
    """
    from orchestration import dbt
    from orchestration.config.files import load_settings
    from orchestration.warehouse.source.guard import Confirmed

    if not yes:
        raise click.ClickException(
            "A rebuild loses every row that the operational database no longer has. To confirm, add --yes."
        )
    settings = load_settings()
    variables = dbt.as_of_variable(as_of) | {"rebuild": True}
    confirmed = Confirmed(vanished=accept_vanished, cutoff=accept_cutoff)
    command = ["--full-refresh"]
    done = dbt.build(settings, command, url=settings.build_url, variables=variables, confirmed=confirmed)
    sys.exit(done.exit_code)


def _jobs() -> Iterable[str]:
    from orchestration.flows import FLOWS

    return FLOWS


@click.command("run", epilog="Example: insights run daily_events_load")
@click.argument("job", type=options.LateChoice(_jobs))
@options.as_of
@options.confirmations
def run_job(job: str, as_of: date | None, accept_vanished: bool, accept_cutoff: bool) -> None:
    """Run a job of dags.yaml without Airflow, step by step.

    JOB is a key of config/insights/dags.yaml. Steps, limits, attempts and messages are those of its DAG; the timers of
    `insights systemd` run it. Where the job is not enabled, it says so and does nothing.
    """
    from orchestration.config.files import load_warehouse_settings
    from orchestration.runs.local import run_job as run_steps
    from orchestration.warehouse.source.guard import Confirmed

    confirmed = Confirmed(vanished=accept_vanished, cutoff=accept_cutoff)
    settings = load_warehouse_settings(
        "the jobs of dags.yaml load one in PostgreSQL. Schedule insights build and insights publish instead."
    )
    run_steps(settings, job, say, as_of=as_of, confirmed=confirmed)
