"""`insights status` and `insights docs`: what is there, and what it means."""

from __future__ import annotations

import sys

import click

from orchestration import dbt
from orchestration.config.files import load_settings
from orchestration.warehouse.database import Database
from orchestration.warehouse.status import Status, read_status


@click.command()
def status() -> None:
    """Rows per mart, what was set aside or flagged and why, and where the operational database differs."""
    settings = load_settings()
    with Database.open(settings) as db:
        print_status(read_status(db))


@click.command()
def docs() -> None:
    """Write the lineage and every description as one page: target/static_index.html."""
    settings = load_settings()
    result = dbt.run(settings, ["docs", "generate", "--static", "--quiet"], url=settings.warehouse_url)
    if result.exit_code == 0:
        click.echo(f"Open in a browser: {result.target / 'static_index.html'}")
    sys.exit(result.exit_code)


def print_status(found: Status) -> None:
    """Print a status as short tables."""
    click.secho(f"Warehouse as of {found.as_of}", bold=True)
    for name, rows in found.marts:
        click.echo(f"  {name:<28}{rows:>12,}")
    _table("Set aside (insights_ops.rejects)", found.set_aside)
    _table("Loaded, but the source is wrong (insights_ops.data_quality)", found.flagged)
    if found.drift:
        click.secho("Where the operational database differs from the contract (insights_ops.source_drift)", bold=True)
        for column, drift, actual in found.drift:
            click.echo(f"  {column:<40}{drift} {actual or ''}")


def _table(title: str, rows: list[tuple[str, str, int]]) -> None:
    if rows:
        click.secho(title, bold=True)
    for relation, finding, count in rows:
        click.echo(f"  {relation:<22}{finding:<32}{count:>8,}")
