"""The `as_of` of a DAG run (design, rule 1): its parameter, else the end of its data interval."""

from __future__ import annotations

from datetime import UTC, date, datetime

from airflow.models.param import Param
from airflow.utils.context import Context

from orchestration.errors import BadInputError


def as_of_param() -> Param:
    """Return the `as_of` parameter of every DAG; Airflow refuses a trigger with a value that is not a date."""
    return Param(
        None,
        type=["null", "string"],
        format="date",
        title="as_of",
        description="Data before this UTC date (such as 2026-01-31) counts."
        " Default: the date on which the run's data interval ends.",
    )


def run_as_of(context: Context) -> date:
    """Return the `as_of` of a run, a UTC date; a run at 02:00 counts data before midnight of the same day.

    Raises BadInputError if the parameter is not a date. The gate checks, by the database's clock, that it is not in the
    future.
    """
    given = context["params"].get("as_of")
    if given is None:
        end: datetime = context["data_interval_end"]
        return end.astimezone(UTC).date()
    try:
        return datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except (TypeError, ValueError) as error:
        raise BadInputError(f"The parameter as_of is {given!r}; it must be a date like 2026-01-31.") from error
