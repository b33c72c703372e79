"""`insights reviews`: send review cases to Core Services, list them, and retry failed ones."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING
from uuid import UUID

import click

from orchestration.cli import options
from orchestration.cli.progress import progress
from orchestration.cli.sections import Group
from orchestration.cli.tables import say_left_out, write_records
from orchestration.cli.texts import say, say_json, say_wrapped
from orchestration.errors import FailedError
from orchestration.warehouse.deliveries import STATUSES

if TYPE_CHECKING:
    from orchestration.config.settings import Settings
    from orchestration.reviews.outbox import ReviewRow
    from orchestration.warehouse.database import Database


@click.group(cls=Group)
def reviews() -> None:
    """Send review cases to Core Services, list or retry them."""


@reviews.command(epilog="Example: insights reviews send")
@options.form
def send(form: str) -> None:
    """Post pending review cases to Core Services.

    The address is INSIGHTS_CORE_API_URL; without it, the cases are only printed. The exit code is 1 if a case failed
    for good or the run stopped early.
    """
    from orchestration.reviews import outbox
    from orchestration.reviews.send import core_services, send_reviews

    settings = _settings()
    core = core_services(settings)
    with _outbox(settings) as db:
        if core is None:
            pending = outbox.pending_requests(db)
            if form == "table":
                for request in pending:
                    say_json(request.payload)
            else:
                cases = [{"case_id": request.case_id, "case": json.loads(request.payload)} for request in pending]
                write_records(cases, form)
            say("Dry run: INSIGHTS_CORE_API_URL is not set, nothing was sent.", err=True)
            return
        if core.warning:
            say(core.warning, color="yellow", err=True)
        with progress("sending review cases") as show:
            report = send_reviews(db, core, show)
    if form == "table":
        say(f"{report.sent} sent, {report.pending} pending, {report.failed} failed")
    else:
        write_records([asdict(report)], form)
    if report.stopped:
        raise FailedError(f"{report.stopped} {report.pending} remain pending; none is lost.")
    sys.exit(1 if report.failed else 0)


@reviews.command("list", epilog="Example: insights reviews list --status failed")
@click.option("--status", type=click.Choice(STATUSES), help="Only this status. Default: all.")
@options.limit("Number of newest cases in the table.")
@options.form
def show(status: str | None, limit: int, form: str) -> None:
    """Count review cases by status and list the newest.

    Each listed case has the last answer of Core Services.
    """
    from orchestration.reviews import outbox

    settings = _settings()
    with _outbox(settings) as db:
        counts = outbox.count_requests(db)
        total = counts[status] if status else sum(counts.values())
        rows = outbox.newest_requests(db, limit if form == "table" else total, status)
    if form != "table":
        write_records([_record(row) for row in rows], form)
        return
    say(", ".join(f"{number} {name}" for name, number in counts.items()), bold=True)
    for row in rows:
        delivery = row.delivery
        tries = "1 attempt" if delivery.attempts == 1 else f"{delivery.attempts} attempts"
        say_wrapped(f"{delivery.case_id}  {delivery.status}, {tries}  {row.cadence} {row.review_date}  {row.severity}")
        say_wrapped(f"    organization {row.slug or row.organization_id}  pattern {row.pattern_id}")
        if delivery.answer:
            say_wrapped(f"    {delivery.answer}")
    say_left_out(total, len(rows))


@reviews.command(epilog="Example: insights reviews retry --all-failed")
@click.argument("case_ids", metavar="[CASE_ID]...", type=click.UUID, nargs=-1)
@click.option("--all-failed", is_flag=True, help="Retry every failed case.")
def retry(case_ids: tuple[UUID, ...], all_failed: bool) -> None:
    """Make failed review cases pending again.

    The next `insights reviews send` posts them again. Give their ids, or --all-failed.
    """
    if bool(case_ids) == all_failed:
        raise click.UsageError("Give either the ids of cases or --all-failed.")
    from orchestration.reviews import outbox

    settings = _settings()
    with _outbox(settings) as db:
        ids = None if all_failed else [str(case_id) for case_id in case_ids]
        changed = outbox.retry_requests(db, ids)
    say(f"{changed} pending again")


def _record(row: ReviewRow) -> dict[str, object]:
    """Return a review case for a script."""
    delivery = row.delivery
    return {
        "case_id": delivery.case_id,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "cadence": row.cadence,
        "review_date": row.review_date,
        "severity": row.severity,
        "organization": row.slug,
        "organization_id": row.organization_id,
        "pattern_id": row.pattern_id,
        "answer": delivery.answer,
    }


def _settings() -> Settings:
    from orchestration.config.files import load_warehouse_settings

    return load_warehouse_settings(
        "a file requests no reviews, because its ids would differ from those of the warehouse that sends them (decision"
        " D266). Send them from there."
    )


def _outbox(settings: Settings) -> AbstractContextManager[Database]:
    from orchestration.reviews import outbox
    from orchestration.warehouse.database import Database

    return Database.open(settings, messages=outbox.MESSAGES)
