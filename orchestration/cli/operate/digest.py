"""`insights digest`: show, send and list the digests of reviews."""

from __future__ import annotations

import base64
import json
import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.sections import Group
from orchestration.cli.tables import show_records
from orchestration.cli.texts import say, say_json
from orchestration.warehouse.deliveries import FAILED, PENDING, SENT

if TYPE_CHECKING:
    from orchestration.config.settings import Settings
    from orchestration.digests.channels import Content
    from orchestration.digests.charts import Chart
    from orchestration.digests.contents import Cadence
    from orchestration.digests.plan import Planned
    from orchestration.digests.send import Request

CADENCES = ("weekly", "monthly", "yearly")
PNG = "data:image/png;base64,"


@click.group(cls=Group)
def digest() -> None:
    """Send reviews as messages to people, or look at one."""


@digest.command(epilog="Example: insights digest show st-mary weekly --role manager > digest.txt")
@click.argument("organization")
@click.argument("cadence", type=click.Choice(CADENCES))
@click.option("--role", "roles", multiple=True, required=True, help="Role of its readers; repeat it for several.")
@click.option("--as", "shape", type=click.Choice(["text", "html", "json"]), default="text", help="Form. Default: text.")
@options.as_of
def show(organization: str, cadence: Cadence, roles: tuple[str, ...], shape: str, as_of: date | None) -> None:
    """Print the digest of an organization's newest review.

    ORGANIZATION is a slug or id. It has what the roles may see and may leave Insights, as the message does; nothing is
    sent.
    """
    from orchestration.config.files import load_settings
    from orchestration.digests.as_html import as_html
    from orchestration.digests.as_json import as_json
    from orchestration.digests.as_text import as_text
    from orchestration.digests.send import Request

    content = _content(load_settings(), Request(organization, cadence, roles), as_of or _today())
    match shape:
        case "text":
            for line in as_text(content.message).splitlines():
                say(line)
        case "html":
            for line in as_html(content.message, _inside).splitlines():
                say(line)
        case _:
            document = as_json(content.digest_id, content.digest, content.message)
            say_json(json.dumps(document, indent=2, ensure_ascii=False))


@digest.command(epilog="Example: insights digest send")
@click.option("--retry-failed", is_flag=True, help="Also try digests again that have failed for good.")
@options.as_of
@options.form
def send(retry_failed: bool, as_of: date | None, form: str) -> None:
    """Send the digests that are due, each once.

    Recipients are in insights.digests. What is not delivered is tried again by the next run. The exit code is 1 if a
    digest was not delivered.
    """
    from orchestration.cli.texts import warn
    from orchestration.config.files import load_settings
    from orchestration.digests.send import send_digests
    from orchestration.warehouse.database import Database

    with Database.open(load_settings()) as db:
        told = list(send_digests(db, as_of or _today(), warn, retries_failed=retry_failed))
    records = [_record(one.planned) | {"status": one.status, "answer": one.answer} for one in told]
    if records or form != "table":
        show_records(records, form)
    if form == "table":
        counts = {status: sum(one.status == status for one in told) for status in (SENT, PENDING, FAILED)}
        say(", ".join(f"{number} {status}" for status, number in counts.items()))
    sys.exit(0 if all(one.status == SENT for one in told) else 1)


@digest.command("list", epilog="Example: insights digest list")
@options.as_of
@options.form
def list_digests(as_of: date | None, form: str) -> None:
    """List the recipients and what became of their digests.

    A recipient that gets none has the reason as its answer.
    """
    from orchestration.config.files import load_settings
    from orchestration.digests.ledger import MESSAGES
    from orchestration.digests.plan import plan
    from orchestration.warehouse.database import Database

    settings = load_settings()
    planned = []
    if settings.insights.digests.recipients:
        with Database.open(settings, messages=MESSAGES) as db:
            planned = plan(db, as_of or _today())
    if form == "table" and not planned:
        say("insights.digests.recipients is empty: no digest is sent.")
        return
    show_records([_record(one) | _state(one) for one in planned], form)


def _content(settings: Settings, request: Request, as_of: date) -> Content:
    """Return the digest of the newest review up to a day; raises NotFoundError if there is none."""
    from orchestration.cli.texts import warn
    from orchestration.digests.ledger import MESSAGES
    from orchestration.digests.send import shown_content
    from orchestration.warehouse.database import Database

    with Database.open(settings, messages=MESSAGES) as db:
        return shown_content(db, request, as_of, warn)


def _record(one: Planned) -> dict[str, object]:
    from orchestration.digests.channels import channel_of

    return {
        "recipient": one.recipient.name,
        "organization": one.recipient.organization,
        "cadence": one.cadence,
        "review_date": one.asked.review_date if one.asked else None,
        "channel": channel_of(one.recipient),
    }


def _state(one: Planned) -> dict[str, object]:
    if one.asked is None:
        return {"status": "none", "attempts": 0, "last_attempt_at": None, "answer": one.reason}
    if one.waits and (one.delivery is None or one.delivery.status != SENT):
        attempts = one.delivery.attempts if one.delivery else 0
        return {"status": "waiting", "attempts": attempts, "last_attempt_at": None, "answer": one.waits}
    if one.delivery is None:
        return {"status": "due", "attempts": 0, "last_attempt_at": None, "answer": None}
    made = one.delivery
    return {
        "status": made.status,
        "attempts": made.attempts,
        "last_attempt_at": made.last_attempt_at if made.attempts else None,
        "answer": made.answer,
    }


def _inside(chart: Chart) -> str:
    """Return the picture of a chart as an address, so that the page needs no other file."""
    return PNG + base64.b64encode(chart.png or b"").decode()


def _today() -> date:
    return datetime.now(UTC).date()
