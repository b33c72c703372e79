"""`insights export` and `insights exports`: what leaves the warehouse as a file, and the record of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import click

from orchestration.cli import options
from orchestration.cli.texts import printable
from orchestration.config.files import load_settings
from orchestration.exports.audit import newest_tries
from orchestration.exports.definitions import load_definitions
from orchestration.exports.request import FORMATS, Request
from orchestration.exports.run import Progress, run_export
from orchestration.warehouse.database import Database


@click.command()
@click.argument("name")
@click.option("--org", "organization", required=True, help="The one organization: its slug or id.")
@click.option("--from", "since", required=True, type=options.DAY, callback=options.as_date, help="First day (UTC).")
@click.option(
    "--to", "until", required=True, type=options.DAY, callback=options.as_date, help="The day after the last (UTC)."
)
@click.option(
    *("--format", "file_format"),
    type=click.Choice(FORMATS),
    default="csv",
    show_default=True,
    help="How it is written.",
)
@click.option("--user", required=True, help="Who asks: the id of an active user of the organization.")
@click.option("--output", required=True, help="A file name for INSIGHTS_EXPORT_DIR, or s3://BUCKET/KEY.")
def export(  # noqa: PLR0913 - each is an option
    *, name: str, organization: str, since: date, until: date, file_format: str, user: str, output: str
) -> None:
    """Export NAME (see `insights exports list`): one organization, one range of days, personal columns masked."""
    settings = load_settings()
    request = Request(name, organization, since, until, file_format, user, output)
    with _bar() as progress:
        done = run_export(settings, load_definitions(settings), request, progress)
    click.echo(f"{done.location}: {done.rows:,} rows, {done.written.bytes:,} bytes, SHA-256 {done.written.sha256}")
    if done.masked_columns:
        click.echo(f"Masked: {', '.join(done.masked_columns)}", err=True)
    if not settings.insights.exports.pii_masking_enabled:
        click.secho("Nothing was masked: exports.pii_masking_enabled is false.", fg="yellow", err=True)


@click.group()
def exports() -> None:
    """Exports: which there are, and what became of every try."""


@exports.command("list")
def list_exports() -> None:
    """List the exports: their names, kinds and descriptions."""
    for definition in sorted(load_definitions(load_settings()).values(), key=lambda d: (d.kind, d.name)):
        click.echo(f"{definition.name:<24}{definition.kind:<11}{' '.join(definition.description.split())}")


@exports.command()
@click.option("--org", "organization", help="Only tries for this organization, by the slug that was given, or its id.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many of the newest.")
def audit(organization: str | None, limit: int) -> None:
    """Show who tried to export what, and what became of it: finished, failed, refused, running or aborted."""
    settings = load_settings()
    with Database.open(settings) as db:
        tries = newest_tries(db, limit, organization)
    for found in tries:
        rows = "" if found.row_count is None else f", {found.row_count:,} rows"
        masked = "" if found.is_masked else ", not masked"
        lines = [
            f"{found.logged_at:%Y-%m-%d %H:%M:%S}  {found.state:<8}  {found.export_name} of {found.organization},"
            f" {found.from_date} to {found.to_date}, {found.format}{rows}{masked}",
            f"    by {found.requested_by}, to {found.output}",
            *([f"    {found.reason}"] if found.reason else []),
        ]
        for line in lines:
            click.echo(printable(line))
    if not tries:
        click.echo("No try to export.")


@contextmanager
def _bar() -> Iterator[Progress | None]:
    """A bar on a terminal, which appears with the first rows; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label="rows", file=sys.stderr, show_pos=True) as bar:

        def show(done: int, rows: int) -> None:
            bar.length = max(rows, 1)
            bar.update(done - bar.pos)

        yield show
