"""Options that several commands share, and how an option takes its tokens from a module without importing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

import click


class LateChoice(click.Choice[str]):
    """One of some tokens, which are looked up when they are needed: `--help` of other commands does not need them."""

    def __init__(self, tokens: Callable[[], Iterable[str]]) -> None:
        """Take the tokens from a function, which may import their module."""
        self._tokens = tokens
        self.case_sensitive = True

    def __getattr__(self, name: str) -> Any:
        """Look up the tokens, the first time that `choices` is read."""
        if name != "choices":
            raise AttributeError(name)
        self.choices = tuple(self._tokens())
        return self.choices


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
