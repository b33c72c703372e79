"""The `as_of` of a DAG run (design, rule 1): its parameter, else the end of its data interval."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from orchestration.config.cron import latest_time
from orchestration.config.files import load_settings
from orchestration.dags.airflow_versions import Context, Param
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
        return interval_end(context).date()
    try:
        return datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except (TypeError, ValueError) as error:
        raise BadInputError(f"The parameter as_of is {given!r}; it must be a date like 2026-01-31.") from error


def interval_end(context: Context) -> datetime:
    """Return the end of a run's data interval (UTC).

    In Airflow 3, a run that was triggered without a logical date has no interval: then it is that of the last interval
    that had ended, as for a run with one.
    """
    end: datetime | None = context.get("data_interval_end")
    if end is None:
        run: Any = context["dag_run"]
        made = run.run_after.astimezone(UTC)
        schedule = next(dag.schedule for dag in load_settings().dags.values() if dag.id == run.dag_id)
        end = latest_time(schedule, made) or made
    return end.astimezone(UTC)
