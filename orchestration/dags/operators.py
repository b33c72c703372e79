"""The operators of the steps: each loads the configuration and calls the same function as the command line.

What one kind of step needs is imported when it runs: Airflow parses the DAG file again and again (decision D172).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.models.baseoperator import BaseOperator
from airflow.utils.context import Context

from orchestration import dbt
from orchestration.config.files import load_settings
from orchestration.dags.clock import run_as_of
from orchestration.dags.confirmations import run_confirmed
from orchestration.dags.failures import failing_at_once
from orchestration.dags.gate import WRITER_POOL
from orchestration.dbt_failures import failure
from orchestration.errors import NotBuiltError
from orchestration.warehouse.database import Database
from orchestration.warehouse.loads import missing_loads, newest_loads

if TYPE_CHECKING:
    from orchestration.exports.scheduled import Period


class WriterOperator(BaseOperator):
    """A step that writes marts; one runs at a time over all DAGs (design, rule 9)."""

    def __init__(self, **kwargs: Any) -> None:
        """Take the arguments of any operator, and put the task into the writer pool."""
        super().__init__(pool=WRITER_POOL, **kwargs)

    def log_line(self, line: str) -> None:
        """Write a line of dbt's output to the log of the task."""
        self.log.info("%s", line.rstrip())


class DbtOperator(WriterOperator):
    """Runs a dbt command as `insights build` does: under the writer lock, with the same variables."""

    ui_color = "#ffd7c9"

    def __init__(
        self, *, command: Sequence[str], unique_id: str | None = None, checks_rows: bool = False, **kwargs: Any
    ) -> None:
        """Set the dbt command, without common options, and the `unique_id` of the node that it builds, if it is one.

        With `checks_rows`, the rows of the source are checked before dbt runs, as the gate of a load does.
        """
        super().__init__(**kwargs)
        self.checks_rows = checks_rows
        self.command = [*command]
        self.unique_id = unique_id

    @failing_at_once()
    def execute(self, context: Context) -> dict[str, int]:
        """Run the command; returns the rows written by each model.

        Its error names the models and tests that failed. It is final unless one of them can succeed in a retry.
        """
        settings = load_settings()
        run = dbt.write(
            settings,
            self.command,
            url=settings.warehouse_url,
            variables=dbt.as_of_variable(run_as_of(context)),
            on_line=self.log_line,
            confirmed=run_confirmed(context) if self.checks_rows else None,
        )
        if run.exit_code:
            raise failure(run)
        return run.rows_written()


class ReconcileOperator(WriterOperator):
    """Runs `insights reconcile`: load, compare every row with its source, repair and report."""

    ui_color = "#d7e8c9"

    @failing_at_once()
    def execute(self, context: Context) -> dict[str, int]:
        """Load and repair; returns the number of repaired rows in each relation."""
        from orchestration.reconcile import reconcile

        settings = load_settings()
        report = reconcile(settings, settings.warehouse_url, run_as_of(context), self.log_line, run_confirmed(context))
        for relation, keys in report.items():
            self.log.warning("%s: %s rows repaired, e.g. %s", relation, keys.total, ", ".join(keys.examples))
        if not report:
            self.log.info("No row was missed.")
        return {relation: keys.total for relation, keys in report.items()}


class RecountOperator(WriterOperator):
    """Runs the second half of `insights reconcile`: every data test over all rows."""

    ui_color = "#e8e1c9"

    @failing_at_once()
    def execute(self, context: Context) -> float:
        """Run the tests; returns the seconds that they took."""
        from orchestration.reconcile import recount

        settings = load_settings()
        found = recount(settings, settings.warehouse_url, run_as_of(context), self.log_line)
        self.log.info("%s", found)
        return found.seconds


class PurgeOperator(WriterOperator):
    """Runs `insights purge --yes`: delete rows that are out of retention (specification, section 2.1)."""

    ui_color = "#f2c9c9"

    @failing_at_once()
    def execute(self, context: Context) -> dict[str, int]:
        """Delete the rows; returns the number of deleted rows in each relation."""
        from orchestration.retention.plan import load_plan
        from orchestration.retention.purge import purge

        settings = load_settings()
        plan = load_plan(settings)
        with Database.open(settings) as db:
            report = purge(db, plan, run_as_of(context))
        for warning in report.warnings:
            self.log.warning("%s", warning)
        for line in report.relations:
            self.log.info("%-28s before %s: %s rows", line.relation, line.cutoff, line.rows)
        return {line.relation: line.rows for line in report.relations}


class SendReviewsOperator(BaseOperator):
    """Runs `insights reviews send`, outside the writer pool, so that slow Core Services do not delay a load."""

    ui_color = "#c9dcff"

    @failing_at_once()
    def execute(self, context: Context) -> dict[str, int]:
        """Send pending review cases; returns the numbers of sent, failed and pending cases."""
        from orchestration.reviews.outbox import MESSAGES, pending_requests
        from orchestration.reviews.send import core_services, send_reviews

        settings = load_settings()
        core = core_services(settings)
        with Database.open(settings, messages=MESSAGES) as db:
            if core is None:
                pending = len(pending_requests(db))
                self.log.warning("Dry run: INSIGHTS_CORE_API_URL is not set; %s review cases stay pending.", pending)
                return {"sent": 0, "failed": 0, "pending": pending}
            report = send_reviews(db, core)
        if report.stopped:
            raise AirflowException(f"{report.stopped} {report.pending} remain pending; none is lost.")
        if report.failed:  # no retry: it would find nothing to send, succeed, and hide the failure
            raise AirflowFailException(f"{report.failed} review cases failed. See: insights reviews list")
        return {"sent": report.sent, "failed": report.failed, "pending": report.pending}


class LoadLogOperator(BaseOperator):
    """Ends a load: checks that the load log has each relation as of the run's `as_of` or later."""

    ui_color = "#e6e6e6"

    def __init__(self, *, relations: Sequence[str], **kwargs: Any) -> None:
        """Set the names of the marts."""
        super().__init__(**kwargs)
        self.relations = sorted(relations)

    @failing_at_once()
    def execute(self, context: Context) -> dict[str, str]:
        """Log the newest loads; returns `loaded_through` (ISO 8601) of each.

        Raises AirflowFailException if one is missing: the steps before this one have succeeded.
        """
        settings = load_settings()
        with Database.open(settings) as db:
            loads = newest_loads(db, self.relations)
        for name, load in loads.items():
            self.log.info("%-28s as of %s, changes up to %s", name, load.as_of, load.loaded_through)
        if missing := missing_loads(loads, self.relations, run_as_of(context)):
            raise NotBuiltError(missing)
        return {name: load.loaded_through.isoformat() for name, load in loads.items()}


class ExportOperator(BaseOperator):
    """Makes the scheduled exports of a period as `insights exports make` does; its task id ends with the period."""

    ui_color = "#d9f0d0"

    @failing_at_once()
    def execute(self, context: Context) -> dict[str, int]:
        """Make what was not made before; returns the rows of each file, and raises the first error after the others."""
        from orchestration.exports.definitions import load_definitions
        from orchestration.exports.scheduled import make_scheduled, requests

        settings = load_settings()
        every = cast("Period", self.task_id.rpartition("_")[2])
        wanted = requests(settings, every, run_as_of(context))
        if not wanted:
            return {}
        made = list(make_scheduled(settings, load_definitions(settings), wanted))
        for one in made:
            self.log.info("%s: %s", one.request.output, one)
        if errors := [one.error for one in made if one.error]:
            raise next((error for error in errors if error.is_transient), errors[0])
        return {one.request.output: one.rows for one in made}


class WarmOperator(BaseOperator):
    """Runs `insights warm`, outside the writer pool, so that the cache is filled while a load runs."""

    ui_color = "#fbe3a9"

    @failing_at_once()
    def execute(self, context: Context) -> dict[str, int]:
        """Fill the cache; returns the number of answers of each dashboard that were found in it.

        Raises AirflowException if one was not.
        """
        from orchestration.dashboards.reader import Reader
        from orchestration.dashboards.warm import warm

        settings = load_settings()
        with closing(Reader.open(settings)) as reader:
            report = warm(reader, settings)
        for name, warmed in report.dashboards.items():
            self.log.info("%-20s %s", name, warmed)
        if not report.is_whole:
            trouble = next((w.trouble for w in report.dashboards.values() if w.trouble), "see the numbers above")
            raise AirflowException(f"Some warmed answers are not in the cache: {trouble}")
        return {name: warmed.found for name, warmed in report.dashboards.items()}
