"""`insights snapshot`: copy the operational tables to files, for a warehouse without a server."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.cli.progress import progress
from orchestration.cli.texts import say


@click.command(epilog="Example: insights snapshot /srv/insights/snapshot --organization st-mary")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--organization", help="Only the rows of this organization, by slug or id, and those of all.")
@click.option("--replace", is_flag=True, help="Replace the snapshot that is in the folder.")
@click.option("--unrecorded", is_flag=True, help="Take it from a database that cannot record it, such as a standby.")
def snapshot(folder: Path, organization: str | None, replace: bool, unrecorded: bool) -> None:
    """Copy the operational tables to Parquet files.

    They are read from the database of INSIGHTS_WAREHOUSE_URL at one moment: the columns of the source contract only,
    converted where the database differs from it. A warehouse of type duckdb is built from them. The files contain
    personal data, so that only the account that runs this may read them, and the audit of exports records it.
    """
    from orchestration.config.files import load_settings
    from orchestration.errors import MisconfiguredError

    try:
        from orchestration.source_snapshot.take import Wanted, take_snapshot
    except ModuleNotFoundError as error:
        raise MisconfiguredError(
            f"insights snapshot needs {error.name}, which is not installed: pip install -r requirements/duckdb.txt (the"
            " dependency group duckdb)."
        ) from error
    wanted = Wanted(organization, replace=replace, unrecorded=unrecorded)
    with progress("rows") as show:
        done = take_snapshot(load_settings(), folder, wanted, show)
    of = done.organization or "all organizations"
    say(f"{folder}: {done.rows:,} rows of {of} in {len(done.tables)} tables, {done.bytes:,} bytes, {done.moment}")
    if unrecorded:
        say("The audit of exports has no record of this snapshot.", color="yellow", err=True)
