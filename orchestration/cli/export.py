"""`insights export` and `insights exports`: export data to a file or an object, list exports, show the audit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.progress import progress
from orchestration.cli.tables import say_left_out, show_table
from orchestration.cli.texts import moment, say

if TYPE_CHECKING:
    from orchestration.exports.audit import Attempt

AUDIT_HEADER = (
    *("at", "state", "export", "organization", "from", "to"),
    *("format", "rows", "masked", "key id", "requested by", "output", "reason"),
)


def _formats() -> Iterable[str]:
    from orchestration.exports.request import FORMATS

    return FORMATS


@click.command(
    epilog="Example: insights export tasks --org st-mary --from 2026-01-01 --to 2026-02-01 --user USER_ID"
    " --output tasks_january"
)
@click.argument("name")
@click.option("--org", "organization", required=True, help="Organization slug or id.")
@click.option("--from", "since", required=True, type=options.DAY, callback=options.as_date, help="First day (UTC).")
@click.option(
    "--to", "until", required=True, type=options.DAY, callback=options.as_date, help="Day after the last day (UTC)."
)
@click.option(
    *("--format", "file_format"),
    type=options.LateChoice(_formats),
    default="csv",
    show_default=True,
    help="File format.",
)
@click.option("--user", required=True, help="Id of the requesting user, active in the organization.")
@click.option("--output", required=True, help="A file name for INSIGHTS_EXPORT_DIR, or s3://BUCKET/KEY.")
def export(  # noqa: PLR0913 - one argument for each option
    *, name: str, organization: str, since: date, until: date, file_format: str, user: str, output: str
) -> None:
    """Export rows or aggregates of one organization.

    NAME is an export of `insights exports list`. Personal columns are masked. The export is recorded in the audit.
    """
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
        say(f"Masked: {', '.join(done.masked_columns)} (key {done.key_id})", err=True)
    if done.previous_key_id not in (None, done.key_id):
        say(
            f"The masks differ from those of the organization's previous export, which used the key"
            f" {done.previous_key_id}: rows of the two files cannot be joined by masked columns. If INSIGHTS_EXPORT_KEY"
            " was not changed on purpose, restore it and export again.",
            color="yellow",
            err=True,
        )
    if not settings.insights.exports.pii_masking_enabled:
        say("Nothing was masked: exports.pii_masking_enabled is false.", color="yellow", err=True)
    elif not settings.has_export_url:
        say(
            "This export ran as the role that loads, which reads names. insights init creates a role for exports: set"
            " INSIGHTS_EXPORT_WAREHOUSE_URL to the address of the database with that role (docs/exports.md).",
            color="yellow",
            err=True,
        )


@click.group()
def exports() -> None:
    """List the exports, or show the audit of export attempts."""


@exports.command("list", epilog="Example: insights exports list")
def list_exports() -> None:
    """List the exports with their kinds and descriptions."""
    from orchestration.config.files import load_settings
    from orchestration.exports.definitions import load_definitions

    found = sorted(load_definitions(load_settings()).values(), key=lambda d: (d.kind, d.name))
    show_table((d.name, d.kind, " ".join(d.description.split())) for d in found)


@exports.command(epilog="Example: insights exports audit --org st-mary --limit 50")
@click.option("--org", "organization", help="Only this organization, by slug or id.")
@options.limit("Number of newest attempts.")
def audit(organization: str | None, limit: int) -> None:
    """Show the newest export attempts and their outcome.

    The outcome is finished, failed, refused, running or aborted.
    """
    from orchestration.config.files import load_settings
    from orchestration.exports.audit import count_attempts, newest_attempts
    from orchestration.warehouse.database import Database

    settings = load_settings()
    with Database.open(settings, settings.export_url) as db:
        attempts = newest_attempts(db, limit, organization)
        total = count_attempts(db, organization)
    if attempts:
        show_table(map(_cells, attempts), header=AUDIT_HEADER, is_fitted=False)
        say_left_out(total, len(attempts))
    else:
        say("There are no export attempts.")


def _cells(found: Attempt) -> tuple[object, ...]:
    """Return the cells of an attempt, one for each name of AUDIT_HEADER; `rows` is NULL until it has finished."""
    return (
        moment(found.logged_at),
        found.state,
        found.export_name,
        found.organization,
        found.from_date,
        found.to_date,
        found.format,
        found.row_count,
        "yes" if found.is_masked else "no",
        found.masking_key_id or "",
        found.requested_by,
        found.output,
        found.reason or "",
    )
