"""`insights reviews`: the review cases that patterns ask for, on their way to Core Services."""

from __future__ import annotations

import json
import sys

import click

from orchestration.config.files import load_settings
from orchestration.reviews.outbox import pending_requests
from orchestration.reviews.send import send_reviews
from orchestration.warehouse.connection import connect


@click.group()
def reviews() -> None:
    """Review cases: what is pending, and sending it to Core Services."""


@reviews.command()
def send() -> None:
    """Post pending review cases to INSIGHTS_CORE_API_URL; without it, print what would be sent."""
    settings = load_settings()
    with connect(settings.warehouse_url, autocommit=True) as connection:
        if settings.core_api_url is None:
            for request in pending_requests(connection, settings):
                click.echo(json.dumps(request.payload, ensure_ascii=False))
            click.echo("Dry run: INSIGHTS_CORE_API_URL is not set, nothing was sent.", err=True)
            return
        counts = send_reviews(connection, settings, settings.core_api_url, settings.core_api_token)
    click.echo(", ".join(f"{counts[status]} {status}" for status in ("sent", "pending", "failed")))
    sys.exit(1 if counts["failed"] else 0)
