"""Options that several commands share, and a choice whose values are imported only when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

import click


class LateChoice(click.Choice[str]):
    """A choice whose values are loaded on first use, so that `--help` of other commands imports less.

    It suggests the most similar value for a wrong one.
    """

    def __init__(self, tokens: Callable[[], Iterable[str]]) -> None:
        """Set the function that returns the values; it may import their module."""
        self._tokens = tokens
        self.case_sensitive = True

    def __getattr__(self, name: str) -> Any:
        """Load the values when `choices` is first read."""
        if name != "choices":
            raise AttributeError(name)
        self.choices = tuple(self._tokens())
        return self.choices

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return the message about a wrong value."""
        from orchestration.config.problems import nearest

        return super().get_invalid_choice_message(value, ctx) + nearest(value, self.choices)


def as_date(_context: click.Context, _option: click.Parameter, value: datetime | None) -> date | None:
    """Return the value of an option of type DAY as a date, None if it is not given; a click callback.

    Raises click.BadParameter for a date that is not in dim_dates.
    """
    if value and not FIRST_DAY <= value.date() <= LAST_DAY:
        raise click.BadParameter(f"{value.date()} is outside of dim_dates, {FIRST_DAY} to {LAST_DAY}.")
    return value.date() if value else None


FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2099, 12, 31)
DAY = click.DateTime(["%Y-%m-%d"])


def words(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of a repeatable option, each of which may be a list separated by commas; a click callback."""
    return tuple(word.strip() for value in values for word in value.split(","))


as_of = click.option(
    "--as-of",
    type=DAY,
    callback=as_date,
    envvar="INSIGHTS_AS_OF",
    show_envvar=True,  # an invalid value is then reported with the name of the variable
    help="Count data before this UTC date. Default: today.",
)
accept_vanished = click.option(
    "--accept-vanished",
    is_flag=True,
    help="Confirm that rows which vanished from the source were deleted on purpose.",
)
accept_cutoff = click.option(
    "--accept-cutoff",
    is_flag=True,
    help="Confirm a day that puts most rows of the source out of retention.",
)


def confirmations(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options --accept-vanished and --accept-cutoff to a command that loads."""
    return accept_vanished(accept_cutoff(command))


class SecretOption(click.Option):
    """An option whose environment variable NAME may be in the file of NAME_FILE."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value; raises MisconfiguredError for a file that cannot be read."""
        from orchestration.config.secrets.by_file import Variables

        return Variables().get(str(self.envvar)) or None


admin_url = click.option(
    "--admin-url",
    cls=SecretOption,
    envvar="INSIGHTS_ADMIN_URL",
    help="Database URL of a superuser or owner. Default: libpq's PG* variables. [env: INSIGHTS_ADMIN_URL]",
)


form = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    help="Output format. Default: table.",
)


def limit(text: str) -> Callable[[Any], Any]:
    """Return the option --limit, with its help text."""
    return click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help=text)


review_date = click.option(
    "--review-date",
    type=DAY,
    callback=as_date,
    help="Date of the review. Default: the newest review with this pattern.",
)


host = click.option(
    "--host",
    metavar="ADDRESS",
    help="Address to listen on, such as 0.0.0.0 in a container. Default: that of the configuration.",
)
