"""`insights export` and `insights exports`: export data to a file or an object, list exports, show the audit."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.progress import progress
from orchestration.cli.sections import Group
from orchestration.cli.tables import say_left_out, show_records
from orchestration.cli.texts import say

if TYPE_CHECKING:
    from orchestration.exports.audit import Attempt
    from orchestration.exports.scheduled import Period


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


@click.group(cls=Group)
def exports() -> None:
    """List the exports, or show the audit of export attempts."""


@exports.command("list", epilog="Example: insights exports list")
@options.form
def list_exports(form: str) -> None:
    """List the exports with their kinds and descriptions."""
    from orchestration.config.files import load_settings
    from orchestration.exports.definitions import load_definitions

    found = sorted(load_definitions(load_settings()).values(), key=lambda d: (d.kind, d.name))
    records = [{"name": d.name, "kind": d.kind, "description": " ".join(d.description.split())} for d in found]
    show_records(records, form)


@exports.command(epilog="Example: insights exports make --every week")
@click.option(
    "--every", type=click.Choice(["day", "week", "month"]), required=True, help="The exports of which period to make."
)
@options.as_of
@options.form
def make(every: Period, as_of: date | None, form: str) -> None:
    """Make the scheduled exports of a period that ended last.

    They are declared in insights.exports.scheduled; the DAGs make them. What was made before is not made again. The
    exit code is 1 if one failed.
    """
    from orchestration.config.files import load_settings
    from orchestration.exports.definitions import load_definitions
    from orchestration.exports.scheduled import make_scheduled, requests
    from orchestration.warehouse.clock import today
    from orchestration.warehouse.database import Database

    settings = load_settings()
    if as_of is None:
        with Database.open(settings, settings.export_url) as db:
            as_of = today(db)
    made = list(make_scheduled(settings, load_definitions(settings), requests(settings, every, as_of)))
    show_records(
        [
            {"export": one.request.name, "file": one.request.output, "rows": one.rows, "result": str(one)}
            for one in made
        ],
        form,
    )
    sys.exit(1 if any(one.error for one in made) else 0)


@exports.command(epilog="Example: insights exports audit --org st-mary --limit 50")
@click.option("--org", "organization", help="Only this organization, by slug or id.")
@options.limit("Number of newest attempts in the table.")
@options.form
def audit(organization: str | None, limit: int, form: str) -> None:
    """Show the newest export attempts and their outcome.

    The outcome is finished, failed, refused, running or aborted.
    """
    from orchestration.config.files import load_settings
    from orchestration.exports.audit import count_attempts, newest_attempts
    from orchestration.warehouse.database import Database

    settings = load_settings()
    with Database.open(settings, settings.export_url) as db:
        total = count_attempts(db, organization)
        attempts = newest_attempts(db, limit if form == "table" else total, organization)
    show_records([_record(attempt) for attempt in attempts], form)
    if form == "table":
        say_left_out(total, len(attempts))


def _record(found: Attempt) -> dict[str, object]:
    """Return an attempt for a list; `rows` is NULL until it has finished."""
    return {
        "at": found.logged_at,
        "state": found.state,
        "export": found.export_name,
        "organization": found.organization,
        "from": found.from_date,
        "to": found.to_date,
        "format": found.format,
        "rows": found.row_count,
        "masked": found.is_masked,
        "key_id": found.masking_key_id,
        "requested_by": found.requested_by,
        "output": found.output,
        "reason": found.reason,
    }
