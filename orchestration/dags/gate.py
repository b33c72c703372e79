"""The first step of every DAG: checks that the DAG may run here, and waits for the data that it needs."""

from __future__ import annotations

from typing import Any

from orchestration.config.files import load_settings
from orchestration.dags.airflow_versions import (
    IS_AIRFLOW_2,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    Context,
)
from orchestration.dags.clock import run_as_of
from orchestration.dags.confirmations import run_confirmed
from orchestration.dags.outcomes import keeping_outcome
from orchestration.dags.pool import pool_problem
from orchestration.errors import InsightsError
from orchestration.runs.readiness import Needs, lacking, notices, skip_reason


class Gate(BaseSensorOperator):
    """Skips the run where the DAG is not enabled, waits for missing loads, and fails at once on permanent errors.

    It also waits on transient errors (InsightsError.is_transient), such as a server that does not respond. No worker
    slot is occupied between two checks.
    """

    ui_color = "#f4e3c1"

    def __init__(self, *, dag_key: str, needs: Needs, **kwargs: Any) -> None:
        """Set the DAG's key in dags.yaml, and what it needs."""
        super().__init__(mode="reschedule", **kwargs)
        self.dag_key = dag_key
        self.needs = needs
        self.lacking = ""

    def execute(self, context: Context) -> Any:
        """Check, and reschedule while something is missing; the error after the timeout names what is missing."""
        with keeping_outcome(context):
            return self._check(context)

    def _check(self, context: Context) -> Any:
        try:
            settings = load_settings()
            if reason := skip_reason(settings, self.dag_key):
                raise AirflowSkipException(reason)
            if IS_AIRFLOW_2 and (problem := pool_problem()):  # in Airflow 3, no task may ask (decision D273)
                raise AirflowFailException(problem)
            self.log.info("as_of is %s", run_as_of(context))
            return super().execute(context)
        except InsightsError as error:
            raise AirflowFailException(str(error)) from error
        except AirflowSensorTimeout as error:
            raise AirflowSensorTimeout(f"Waited {self.timeout:.0f} s. {self.lacking}") from error

    def poke(self, context: Context) -> bool:
        """Return whether nothing is missing; logs what is."""
        self.lacking = lacking(load_settings(), self.needs, run_as_of(context), run_confirmed(context)) or ""
        if self.lacking:
            self.log.info("Waiting. %s", self.lacking)
            return False
        for notice in notices(load_settings(), self.needs):
            self.log.warning("%s", notice)
        return True
