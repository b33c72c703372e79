"""`insights build`, `insights reconcile` and `insights rebuild`: the commands that write the warehouse."""

from __future__ import annotations

import sys
from datetime import date

import click

from orchestration.cli import options
from orchestration.cli.texts import say

PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True}


@click.command(context_settings=PASS_THROUGH)
@options.as_of
@click.argument("dbt_arguments", nargs=-1, type=click.UNPROCESSED)
def build(as_of: date | None, dbt_arguments: tuple[str, ...]) -> None:
    """Build and test the warehouse behind INSIGHTS_WAREHOUSE_URL; what follows goes to `dbt build` as it is.

    The unit tests, which test the models and not the data, are left to `./dev test` and to a plain `dbt build`.
    """
    from orchestration import dbt
    from orchestration.config.files import load_settings

    settings = load_settings()
    command = ["build", *dbt.NO_UNIT_TESTS, *dbt_arguments]
    sys.exit(dbt.write(settings, command, url=settings.warehouse_url, variables=dbt.as_of_variable(as_of)).exit_code)


@click.command()
@options.as_of
def reconcile(as_of: date | None) -> None:
    """Load, then compare every row with the operational database; repair and report what the loads had missed."""
    from orchestration.config.files import load_settings
    from orchestration.reconcile import reconcile as run_reconcile

    settings = load_settings()
    report = run_reconcile(settings, settings.warehouse_url, as_of)
    if not report:
        say("Nothing had been missed.")
    for relation, keys in report.items():
        say(f"{relation}: {keys.total} rows repaired, e.g. {', '.join(keys.examples)}")


@click.command()
@options.as_of
@click.option("--yes", is_flag=True, help="Really do it.")
def rebuild(as_of: date | None, yes: bool) -> None:
    """Drop the facts and dimensions and build them from the operational database, as it is today."""
    from orchestration import dbt
    from orchestration.config.files import load_settings

    if not yes:
        raise click.ClickException(
            "A rebuild loses every row that the operational database no longer has. If that is meant, add --yes."
        )
    settings = load_settings()
    variables = dbt.as_of_variable(as_of) | {"rebuild": True}
    command = ["build", *dbt.NO_UNIT_TESTS, "--full-refresh"]
    sys.exit(dbt.write(settings, command, url=settings.warehouse_url, variables=variables).exit_code)
