"""`insights purge`: delete rows that are out of retention."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.progress import progress
from orchestration.cli.tables import show_records
from orchestration.cli.texts import say, warn

if TYPE_CHECKING:
    from orchestration.retention.purge import PurgeReport


@click.command(epilog="Example: insights purge --yes")
@options.as_of
@click.option("--yes", is_flag=True, help="Delete the rows; without it they are only counted.")
@options.form
def purge(as_of: date | None, yes: bool, form: str) -> None:
    """Delete rows older than the retention of their class.

    Without --yes, the rows are only counted.
    """
    from orchestration.config.files import load_settings
    from orchestration.retention.lower_bounds import check_lower_bounds
    from orchestration.retention.plan import load_plan
    from orchestration.retention.purge import preview
    from orchestration.retention.purge import purge as run_purge
    from orchestration.warehouse.database import Database
    from orchestration.warehouse.snowflake import purge as in_snowflake

    settings = load_settings()
    if not settings.is_snowflake:
        settings.check_loads(
            "a file is not purged, but built again: delete it, then insights build and insights publish, after which no"
            " row out of retention is in the serving database."
        )
    check_lower_bounds(settings)
    plan = load_plan(settings)
    with progress("deleting" if yes else "counting") as show:
        if settings.is_snowflake:
            report = (in_snowflake.purge if yes else in_snowflake.preview)(settings, plan, as_of, show)
        else:
            with Database.open(settings) as db:
                report = (run_purge if yes else preview)(db, plan, as_of, show)
    print_report(report, form)
    if not yes:
        say("Dry run: nothing was deleted. Add --yes to delete these rows.", err=True)


def print_report(report: PurgeReport, form: str) -> None:
    """Print the relations of a report; warnings go to standard error."""
    for warning in report.warnings:
        warn(warning)
    records = [
        {"relation": line.relation, "class": line.retention_class, "before": line.cutoff, "rows": line.rows}
        for line in report.relations
    ]
    show_records(records, form, title=f"Out of retention as of {report.as_of}")
