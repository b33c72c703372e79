"""The work of each step of a job. The operators of Airflow and the runner of one host call these functions.

A transient error (InsightsError.is_transient) is worth another attempt. What one kind of step needs is imported when it
runs: Airflow parses the DAG file again and again (decision D172).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.dbt_failures import failure
from orchestration.errors import (
    BusyError,
    FailedError,
    MisconfiguredError,
    NotBuiltError,
    NotPreparedError,
    RefusedError,
    UnavailableError,
)
from orchestration.warehouse.database import Database
from orchestration.warehouse.loads import missing_loads, newest_loads
from orchestration.warehouse.source.guard import Confirmed

if TYPE_CHECKING:
    from orchestration.exports.scheduled import Period


# The models of a review. Eager: tests that read other models run too, because the gate has checked that those are
# loaded.
BUILD_MODELS = ("build", *dbt.NO_UNIT_TESTS, "--indirect-selection", "eager")


@dataclass(frozen=True)
class Run:
    """One run of a job: its `as_of`, a UTC date, what an operator confirmed, and where its lines go."""

    settings: Settings
    as_of: date
    confirmed: Confirmed
    say: Callable[[str], None]


def dbt_command(command: str, selector: str) -> list[str]:
    """Return a dbt command over a selector, which also chooses tests over several models; no unit test runs."""
    without = () if command == "run" else dbt.NO_UNIT_TESTS
    return [command, *without, "--selector", selector]


def run_dbt(run: Run, command: Sequence[str], *, checks_rows: bool = False) -> dict[str, int]:
    """Run a dbt command as `insights build` does; returns the rows written by each model.

    With `checks_rows`, the rows of the source are checked before. Raises like `dbt.write`, and the error of `failure`,
    which names the models and tests that failed.
    """
    done = dbt.write(
        run.settings,
        command,
        url=run.settings.warehouse_url,
        variables=dbt.as_of_variable(run.as_of),
        on_line=lambda line: run.say(line.rstrip()),
        confirmed=run.confirmed if checks_rows else None,
    )
    if done.exit_code:
        raise failure(done)
    return done.rows_written()


def check_load_log(run: Run, relations: Sequence[str]) -> dict[str, str]:
    """Return `loaded_through` (ISO 8601) of the newest load of each relation.

    Raises NotBuiltError if one was not loaded as of the run's `as_of` or later.
    """
    with Database.open(run.settings) as db:
        loads = newest_loads(db, relations)
    for name, load in loads.items():
        run.say(f"{name:<28} as of {load.as_of}, changes up to {load.loaded_through}")
    if missing := missing_loads(loads, relations, run.as_of):
        raise NotBuiltError(missing)
    return {name: load.loaded_through.isoformat() for name, load in loads.items()}


def _reconcile(run: Run) -> dict[str, int]:
    """Load, compare every row with its source and repair; returns the number of repaired rows in each relation."""
    from orchestration.reconcile import reconcile

    report = reconcile(
        run.settings, run.settings.warehouse_url, run.as_of, lambda line: run.say(line.rstrip()), run.confirmed
    )
    for relation, keys in report.items():
        run.say(f"{relation}: {keys.total} rows repaired, e.g. {', '.join(keys.examples)}")
    if not report:
        run.say("No row was missed.")
    return {relation: keys.total for relation, keys in report.items()}


def _recount(run: Run) -> float:
    """Run every data test over all rows; returns the seconds that they took."""
    from orchestration.reconcile import recount

    found = recount(run.settings, run.settings.warehouse_url, run.as_of, lambda line: run.say(line.rstrip()))
    run.say(str(found))
    return found.seconds


def _purge(run: Run) -> dict[str, int]:
    """Delete rows that are out of retention; returns the number of deleted rows in each relation."""
    from orchestration.retention.plan import load_plan
    from orchestration.retention.purge import purge

    plan = load_plan(run.settings)
    with Database.open(run.settings) as db:
        report = purge(db, plan, run.as_of)
    for warning in report.warnings:
        run.say(f"Warning: {warning}")
    for line in report.relations:
        run.say(f"{line.relation:<28} before {line.cutoff}: {line.rows} rows")
    return {line.relation: line.rows for line in report.relations}


def _send_reviews(run: Run) -> dict[str, int]:
    """Send pending review cases; returns the numbers of sent, failed and pending cases.

    Raises UnavailableError if Core Services did not answer, and FailedError if it refused a case.
    """
    from orchestration.reviews.outbox import MESSAGES, pending_requests
    from orchestration.reviews.send import core_services, send_reviews

    core = core_services(run.settings)
    with Database.open(run.settings, messages=MESSAGES) as db:
        if core is None:
            pending = len(pending_requests(db))
            run.say(f"Dry run: INSIGHTS_CORE_API_URL is not set; {pending} review cases stay pending.")
            return {"sent": 0, "failed": 0, "pending": pending}
        report = send_reviews(db, core)
    if report.stopped:
        raise UnavailableError(f"{report.stopped} {report.pending} remain pending; none is lost.")
    if report.failed:  # no other attempt: it would find nothing to send, succeed, and hide the failure
        raise FailedError(f"{report.failed} review cases failed. See: insights reviews list")
    return {"sent": report.sent, "failed": report.failed, "pending": report.pending}


def _export(every: Period) -> Callable[[Run], dict[str, int]]:
    """Return the step that makes the scheduled exports of a period, as `insights exports make` does."""

    def make(run: Run) -> dict[str, int]:
        """Make what was not made before; returns the rows of each file, and raises the first error after the others."""
        from orchestration.exports.definitions import load_definitions
        from orchestration.exports.scheduled import make_scheduled, requests

        wanted = requests(run.settings, every, run.as_of)
        if not wanted:
            return {}
        made = list(make_scheduled(run.settings, load_definitions(run.settings), wanted))
        for one in made:
            run.say(f"{one.request.output}: {one}")
        if errors := [one.error for one in made if one.error]:
            raise next((error for error in errors if error.is_transient), errors[0])
        return {one.request.output: one.rows for one in made}

    return make


def _send_digests(run: Run) -> dict[str, int]:
    """Send the digests that are due; returns the numbers of sent, pending and failed ones.

    A digest that is not delivered fails no run (decision D254), and neither does a warehouse that has no review yet, a
    mistake in the configuration, or another sender.
    """
    from orchestration.digests.send import send_digests

    counts = {"sent": 0, "pending": 0, "failed": 0}
    try:
        with Database.open(run.settings) as db:
            for result in send_digests(db, run.as_of, run.say):
                run.say(str(result))
                counts[result.status] += 1
    except (BusyError, MisconfiguredError, NotBuiltError, NotPreparedError, RefusedError) as error:
        run.say(f"No digest was sent. {error}")
    return counts


def _warm(run: Run) -> dict[str, int]:
    """Fill the cache; returns the number of answers of each dashboard that were found in it.

    Raises UnavailableError if one was not.
    """
    from orchestration.dashboards.reader import Reader
    from orchestration.dashboards.warm import warm

    with closing(Reader.open(run.settings)) as reader:
        report = warm(reader, run.settings)
    for name, warmed in report.dashboards.items():
        run.say(f"{name:<20} {warmed}")
    if not report.is_whole:
        trouble = next((w.trouble for w in report.dashboards.values() if w.trouble), "see the numbers above")
        raise UnavailableError(f"Some warmed answers are not in the cache: {trouble}")
    return {name: warmed.found for name, warmed in report.dashboards.items()}


# The steps that need nothing but the run, by task id.
WORK: Mapping[str, Callable[[Run], Any]] = {
    "purge": _purge,
    "reconcile": _reconcile,
    "recount": _recount,
    "export_day": _export("day"),
    "export_week": _export("week"),
    "export_month": _export("month"),
    "send_reviews": _send_reviews,
    "send_digests": _send_digests,
    "warm": _warm,
}
