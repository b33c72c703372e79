"""`insights reviews`: the review cases that patterns ask for, on their way to Core Services."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import click

from orchestration.cli.texts import say
from orchestration.errors import InsightsError

if TYPE_CHECKING:
    import psycopg

    from orchestration.config.settings import Settings


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
    with _outbox(settings) as connection:
        if core is None:
            for request in outbox.pending_requests(connection, settings):
                click.echo(request.payload)
            say("Dry run: INSIGHTS_CORE_API_URL is not set, nothing was sent.", err=True)
            return
        report = send_reviews(connection, settings, core)
    say(f"{report.sent} sent, {report.pending} pending, {report.failed} failed")
    if report.stopped:
        raise InsightsError(f"{report.stopped} {report.pending} remain pending; none is lost.")
    sys.exit(1 if report.failed else 0)


@reviews.command("list")
@click.option("--status", type=click.Choice(["pending", "failed", "sent"]), help="Only these. Default: all.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many of the newest.")
def show(status: str | None, limit: int) -> None:
    """Count review cases by status, and show the newest with their last answer."""
    from orchestration.config.files import load_settings
    from orchestration.reviews import outbox

    settings = load_settings()
    with _outbox(settings) as connection:
        counts = outbox.count_requests(connection, settings)
        rows = outbox.newest_requests(connection, settings, limit, status)
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
    with _outbox(settings) as connection:
        ids = None if all_failed else [str(case_id) for case_id in case_ids]
        changed = outbox.retry_requests(connection, settings, ids)
    say(f"{changed} pending again")


@contextmanager
def _outbox(settings: Settings) -> Iterator[psycopg.Connection]:
    from orchestration.reviews import outbox
    from orchestration.warehouse.connection import connect

    with outbox.outbox_errors(), connect(settings.warehouse_url, autocommit=True) as connection:
        yield connection
