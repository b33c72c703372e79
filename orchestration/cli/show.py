"""`insights status` and `insights docs`: the state of the warehouse, and its documentation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orchestration.cli.tables import show_table
from orchestration.cli.texts import say

if TYPE_CHECKING:
    from orchestration.warehouse.status import Status


@click.command(epilog="Example: insights status")
def status() -> None:
    """Show rows per mart, rejected and flagged rows, and drift.

    Drift is where the operational database differs from the source contract.
    Operational rows that are out of retention, which no load takes in, are counted too.
    """
    from orchestration.config.files import load_settings
    from orchestration.warehouse.database import Database
    from orchestration.warehouse.status import read_status

    settings = load_settings()
    with Database.open(settings) as db:
        print_status(read_status(db))


@click.command(epilog="Example: insights docs")
def docs() -> None:
    """Write lineage and descriptions to one HTML page.

    The page is target/static_index.html.
    """
    from orchestration import dbt
    from orchestration.config.files import load_settings

    settings = load_settings()
    result = dbt.run(settings, ["docs", "generate", "--static", "--quiet"], url=settings.warehouse_url)
    if result.exit_code == 0:
        say(f"Open in a browser: {result.target / 'static_index.html'}")
    sys.exit(result.exit_code)


def print_status(found: Status) -> None:
    """Print the state of the warehouse as short tables."""
    show_table(found.marts, title=f"Warehouse as of {found.as_of}")
    if found.source_error:
        say(f"source cannot be read: {found.source_error}")
    if any(behind for _, _, behind in found.behind):
        title = f"Out of retention: operational rows from before the cutoff {found.cutoff}"
        show_table(found.behind, header=("table", "rows", "before the cutoff"), title=title)
    if found.rejected:
        show_table(found.rejected, title="Rejected (insights_ops.rejects)")
    if found.flagged:
        show_table(found.flagged, title="Flagged: loaded although the source is wrong (insights_ops.data_quality)")
    if found.drift:
        title = "Where the operational database differs from the contract (insights_ops.source_drift)"
        show_table(((column, drift, actual or "") for column, drift, actual in found.drift), title=title)
