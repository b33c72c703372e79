"""`insights purge`: what is out of retention leaves the warehouse."""

from __future__ import annotations

from datetime import date

import click

from orchestration.cli import options
from orchestration.config.files import load_settings
from orchestration.retention.floors import check_floors
from orchestration.retention.plan import load_plan
from orchestration.retention.purge import PurgeReport, preview
from orchestration.retention.purge import purge as run_purge
from orchestration.warehouse.database import Database


@click.command()
@options.as_of
@click.option("--yes", is_flag=True, help="Really delete the rows; without it they are only counted.")
def purge(as_of: date | None, yes: bool) -> None:
    """Delete what is older than the retention of its class; without --yes, only count it."""
    settings = load_settings()
    check_floors(settings)
    plan = load_plan(settings)
    with Database.open(settings) as db:
        report = (run_purge if yes else preview)(db, plan, as_of)
    print_report(report)
    if not yes:
        click.echo("Dry run: nothing was deleted. Add --yes to delete these rows.", err=True)


def print_report(report: PurgeReport) -> None:
    """Print a report as a table; warnings go to standard error."""
    for warning in report.warnings:
        click.secho(f"Warning: {warning}", fg="yellow", err=True)
    click.secho(f"Out of retention as of {report.as_of}", bold=True)
    click.echo(f"  {'relation':<26}{'class':<17}{'before':<12}{'rows':>10}")
    for line in report.relations:
        click.echo(f"  {line.relation:<26}{line.retention_class:<17}{line.cutoff.isoformat():<12}{line.rows:>10,}")
