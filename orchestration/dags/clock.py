"""The clock of a run (design, rule 1): its parameter `as_of`, else the end of its data interval."""

from __future__ import annotations

from datetime import UTC, date, datetime

from airflow.models.param import Param
from airflow.utils.context import Context

from orchestration.errors import BadInputError


def as_of_param() -> Param:
    """The parameter that every DAG has; Airflow refuses a trigger whose value is no date."""
    return Param(
        None,
        type=["null", "string"],
        format="date",
        title="as_of",
        description="The clock: what happened before this UTC date (like 2026-01-31) counts."
        " Default: the date on which the run's data interval ends.",
    )


def run_as_of(context: Context) -> date:
    """The UTC date of a run; a run of 02:00 counts what happened before midnight of the same day.

    Raises BadInputError when the parameter is no date. Whether it lies in the future is asked of the database.
    """
    asked = context["params"].get("as_of")
    if asked is None:
        end: datetime = context["data_interval_end"]
        return end.astimezone(UTC).date()
    try:
        return datetime.strptime(asked, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except (TypeError, ValueError) as error:
        raise BadInputError(f"The parameter as_of is {asked!r}; it must be a date like 2026-01-31.") from error
