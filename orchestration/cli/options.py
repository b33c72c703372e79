"""Options that several commands share."""

from __future__ import annotations

from datetime import date, datetime

import click


def as_date(_context: click.Context, _option: click.Parameter, value: datetime | None) -> date | None:
    """The callback of an option of type DAY: its value as a date, None when it was not given."""
    return value.date() if value else None


DAY = click.DateTime(["%Y-%m-%d"])

as_of = click.option(
    "--as-of",
    type=DAY,
    callback=as_date,
    help="The clock: what happened before this UTC date counts. Default: today.",
)
admin_url = click.option(
    "--admin-url",
    envvar="INSIGHTS_ADMIN_URL",
    help="Where to connect as a superuser or owner; default: libpq's PG* variables. [env: INSIGHTS_ADMIN_URL]",
)
review_date = click.option(
    "--review-date",
    type=DAY,
    callback=as_date,
    help="The review to look at. Default: the newest that found it.",
)
