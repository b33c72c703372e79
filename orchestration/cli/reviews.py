"""`insights reviews`: the review cases that patterns ask for, on their way to Core Services."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from uuid import UUID

import click

from orchestration.cli.texts import say
from orchestration.errors import FailedError

if TYPE_CHECKING:
    from orchestration.config.settings import Settings
    from orchestration.warehouse.database import Database


@click.group()
def reviews() -> None:
    """Review cases: what is pending, and sending it to Core Services."""


@reviews.command()
def send() -> None:
    """Post pending review cases to INSIGHTS_CORE_API_URL; without it, print what would be sent.

    Exit code 1 when a case was given up, or when the run stopped early.
    """
    from orchestration.config.files import load_settings
    from orchestration.reviews import outbox
    from orchestration.reviews.send import core_services, send_reviews

    settings = load_settings()
    core = core_services(settings)
    with _outbox(settings) as db:
        if core is None:
            for request in outbox.pending_requests(db):
                click.echo(request.payload)
            say("Dry run: INSIGHTS_CORE_API_URL is not set, nothing was sent.", err=True)
            return
        report = send_reviews(db, core)
    say(f"{report.sent} sent, {report.pending} pending, {report.failed} failed")
    if report.stopped:
        raise FailedError(f"{report.stopped} {report.pending} remain pending; none is lost.")
    sys.exit(1 if report.failed else 0)


@reviews.command("list")
@click.option("--status", type=click.Choice(["pending", "failed", "sent"]), help="Only these. Default: all.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many of the newest.")
def show(status: str | None, limit: int) -> None:
    """Count review cases by status, and show the newest with their last answer."""
    from orchestration.config.files import load_settings
    from orchestration.reviews import outbox

    settings = load_settings()
    with _outbox(settings) as db:
        counts = outbox.count_requests(db)
        rows = outbox.newest_requests(db, limit, status)
    say(", ".join(f"{number} {name}" for name, number in counts.items()), bold=True)
    for row in rows:
        delivery = row.delivery
        tries = "1 attempt" if delivery.attempts == 1 else f"{delivery.attempts} attempts"
        say(f"{delivery.case_id}  {delivery.status}, {tries}  {row.cadence} {row.review_date}  {row.severity}")
        say(f"    organization {row.organization_id}  pattern {row.pattern_id}")
        if delivery.answer:
            say(f"    {delivery.answer}")


@reviews.command()
@click.argument("case_ids", metavar="[CASE_ID]...", type=click.UUID, nargs=-1)
@click.option("--all-failed", is_flag=True, help="Every case that was given up.")
def retry(case_ids: tuple[UUID, ...], all_failed: bool) -> None:
    """Make failed review cases pending again; the next `insights reviews send` tries them anew."""
    if bool(case_ids) == all_failed:
        raise click.UsageError("Name the cases, or give --all-failed.")
    from orchestration.config.files import load_settings
    from orchestration.reviews import outbox

    settings = load_settings()
    with _outbox(settings) as db:
        ids = None if all_failed else [str(case_id) for case_id in case_ids]
        changed = outbox.retry_requests(db, ids)
    say(f"{changed} pending again")


def _outbox(settings: Settings) -> AbstractContextManager[Database]:
    from orchestration.reviews import outbox
    from orchestration.warehouse.database import Database

    return Database.open(settings, messages=outbox.MESSAGES)
