"""The operators of the steps: each loads the configuration and does the work of orchestration/runs/work.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestration.config.files import load_settings
from orchestration.dags.airflow_versions import BaseOperator, Context
from orchestration.dags.clock import run_as_of
from orchestration.dags.confirmations import run_confirmed
from orchestration.dags.failures import failing_at_once
from orchestration.dags.outcomes import keeping_outcome
from orchestration.dags.pool import WRITER_POOL
from orchestration.runs.work import WORK, Run, check_load_log, run_dbt


class StepOperator(BaseOperator):
    """A step whose work its task id names; its error is final unless another attempt can succeed."""

    def __init__(self, *, color: str = "#c9dcff", **kwargs: Any) -> None:
        """Take the arguments of any operator, and a color for Airflow's pages."""
        super().__init__(**kwargs)
        self.ui_color = color

    @failing_at_once()
    def execute(self, context: Context) -> Any:
        """Do the work; returns its numbers, such as the rows of each relation."""
        with keeping_outcome(context):
            return self.work(self._run(context))

    def work(self, run: Run) -> Any:
        """Do the work of a run."""
        return WORK[self.task_id](run)

    def _run(self, context: Context) -> Run:
        return Run(load_settings(), run_as_of(context), run_confirmed(context), lambda line: self.log.info("%s", line))


class WriterOperator(StepOperator):
    """A step that writes marts; one runs at a time over all DAGs (design, rule 9)."""

    def __init__(self, **kwargs: Any) -> None:
        """Take the arguments of any step, and put the task into the writer pool."""
        super().__init__(pool=WRITER_POOL, **kwargs)


class DbtOperator(WriterOperator):
    """Runs a dbt command as `insights build` does: under the writer lock, with the same variables."""

    def __init__(
        self, *, command: Sequence[str], unique_id: str | None = None, checks_rows: bool = False, **kwargs: Any
    ) -> None:
        """Set the dbt command, without common options, and the `unique_id` of the node that it builds, if it is one.

        With `checks_rows`, the rows of the source are checked before dbt runs, as the gate of a load does.
        """
        super().__init__(color="#ffd7c9", **kwargs)
        self.checks_rows = checks_rows
        self.command = [*command]
        self.unique_id = unique_id

    def work(self, run: Run) -> dict[str, int]:
        """Run the command; returns the rows written by each model."""
        return run_dbt(run, self.command, checks_rows=self.checks_rows)


class LoadLogOperator(StepOperator):
    """Ends a load: checks that the load log has each relation as of the run's `as_of` or later."""

    def __init__(self, *, relations: Sequence[str], **kwargs: Any) -> None:
        """Set the names of the marts."""
        super().__init__(color="#e6e6e6", **kwargs)
        self.relations = sorted(relations)

    def work(self, run: Run) -> dict[str, str]:
        """Log the newest loads; returns `loaded_through` (ISO 8601) of each."""
        return check_load_log(run, self.relations)
