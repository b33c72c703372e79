"""`insights replicate`: copy the operational tables to another engine, and keep the copy up to date."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from orchestration.cli import options
from orchestration.cli.progress import progress
from orchestration.cli.tables import show_records
from orchestration.cli.texts import say


@click.command(epilog="Example: insights replicate --to duckdb:///srv/insights/orgo.duckdb")
@click.option("--to", help="duckdb:///FOLDER/FILE.duckdb or snowflake. Default: insights.warehouse.type.")
@click.option("--schema", help="Schema of the copy. Default: insights.source.schema.")
@click.option("--reconcile", is_flag=True, help="Read all rows, and delete those that the source no longer has.")
@options.accept_vanished
@click.option("--unrecorded", is_flag=True, help="Copy from a database that cannot record it, such as a standby.")
@click.option(
    "--work-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for files until they are loaded. Default: one of this user below TMPDIR.",
)
@options.form
def replicate(  # noqa: PLR0913, PLR0917 - one argument for each option
    to: str | None,
    schema: str | None,
    reconcile: bool,
    accept_vanished: bool,
    unrecorded: bool,
    work_dir: Path | None,
    form: str,
) -> None:
    """Copy the operational tables to another engine.

    They are read from the database of INSIGHTS_WAREHOUSE_URL at one moment: the columns of the source contract only,
    converted where the database differs from it. The next time, only rows are read that have changed since, with an
    overlap (etl.overlap_hours), and tables whose changes cannot be found. dlt loads them; the credentials of Snowflake
    are those that it finds (docs/engines/replicate.md). The copy contains personal data, and the audit of exports
    records it.
    """
    from orchestration.config.files import load_settings
    from orchestration.errors import MisconfiguredError

    try:
        from orchestration.replication.replicate import Wanted
        from orchestration.replication.replicate import replicate as run
    except ModuleNotFoundError as error:
        raise MisconfiguredError(
            f"insights replicate needs {error.name}, which is not installed: pip install -r requirements/replicate.txt"
            " (the dependency group replicate)."
        ) from error
    wanted = Wanted(to, schema, work_dir, reconcile, accept_vanished, unrecorded)
    with progress("rows") as show:
        done = run(load_settings(), wanted, show)
    show_records([asdict(table) for table in done.tables], form, title="Tables")
    read, written = (sum(getattr(table, rows) for table in done.tables) for rows in ("rows_read", "rows_written"))
    say(f"{done.place}: {read:,} rows read, {written:,} written, as of {done.moment.isoformat()}", err=True)
    if unrecorded:
        say("The audit of exports has no record of this copy.", color="yellow", err=True)
