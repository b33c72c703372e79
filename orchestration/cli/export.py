"""`insights export` and `insights exports`: what leaves the warehouse as a file, and the record of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import click

from orchestration.cli import options
from orchestration.cli.progress import progress
from orchestration.cli.tables import show_table
from orchestration.cli.texts import say


def _formats() -> Iterable[str]:
    from orchestration.exports.request import FORMATS

    return FORMATS


@click.command()
@click.argument("name")
@click.option("--org", "organization", required=True, help="The one organization: its slug or id.")
@click.option("--from", "since", required=True, type=options.DAY, callback=options.as_date, help="First day (UTC).")
@click.option(
    "--to", "until", required=True, type=options.DAY, callback=options.as_date, help="The day after the last (UTC)."
)
@click.option(
    *("--format", "file_format"),
    type=options.LateChoice(_formats),
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
    from orchestration.config.files import load_settings
    from orchestration.exports.definitions import load_definitions
    from orchestration.exports.request import Request
    from orchestration.exports.run import run_export

    settings = load_settings()
    request = Request(name, organization, since, until, file_format, user, output)
    with progress("rows") as show:
        done = run_export(settings, load_definitions(settings), request, show)
    say(f"{done.location}: {done.rows:,} rows, {done.written.bytes:,} bytes, SHA-256 {done.written.sha256}")
    if done.masked_columns:
        say(f"Masked: {', '.join(done.masked_columns)}", err=True)
    if not settings.insights.exports.pii_masking_enabled:
        say("Nothing was masked: exports.pii_masking_enabled is false.", colour="yellow", err=True)


@click.group()
def exports() -> None:
    """Exports: which there are, and what became of every try."""


@exports.command("list")
def list_exports() -> None:
    """List the exports: their names, kinds and descriptions."""
    from orchestration.config.files import load_settings
    from orchestration.exports.definitions import load_definitions

    found = sorted(load_definitions(load_settings()).values(), key=lambda d: (d.kind, d.name))
    show_table((d.name, d.kind, " ".join(d.description.split())) for d in found)


@exports.command()
@click.option("--org", "organization", help="Only tries for this organization, by the slug that was given, or its id.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many of the newest.")
def audit(organization: str | None, limit: int) -> None:
    """Show who tried to export what, and what became of it: finished, failed, refused, running or aborted."""
    from orchestration.config.files import load_settings
    from orchestration.exports.audit import newest_tries
    from orchestration.warehouse.database import Database

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
            say(line)
    if not tries:
        say("No try to export.")
