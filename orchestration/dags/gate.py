"""The first step of every DAG: checks that the DAG may run here, and waits for the data that it needs."""

from __future__ import annotations

from typing import Any

from airflow.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from airflow.models.pool import Pool
from airflow.sensors.base import BaseSensorOperator
from airflow.utils.context import Context

from orchestration.config.files import load_settings
from orchestration.dags.clock import run_as_of
from orchestration.dags.confirmations import run_confirmed
from orchestration.errors import InsightsError
from orchestration.runs.readiness import Needs, lacking, notices, skip_reason

WRITER_POOL = "insights_writer"


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
        try:
            settings = load_settings()
            if reason := skip_reason(settings, self.dag_key):
                raise AirflowSkipException(reason)
            if problem := pool_problem():
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


def pool_problem() -> str | None:
    """Return what is wrong with the writer pool, None if nothing: tasks of a missing pool would be queued forever."""
    pool = Pool.get_pool(WRITER_POOL)
    if pool is not None and pool.slots == 1:
        return None
    found = f"has {pool.slots} slots" if pool else "does not exist"
    command = f"airflow pools set {WRITER_POOL} 1 'One writer'"
    return f"Airflow's pool {WRITER_POOL} {found}; it must have one slot. Run: {command}"
