"""The first step of every DAG: may it run here, and is what it needs there? Waits for the rest, and not for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from airflow.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from airflow.models.pool import Pool
from airflow.sensors.base import BaseSensorOperator
from airflow.utils.context import Context

from orchestration.config.files import Settings, load_settings
from orchestration.dags.clock import run_as_of
from orchestration.errors import InsightsError, NotBuiltError
from orchestration.warehouse.clock import check_as_of
from orchestration.warehouse.database import Database
from orchestration.warehouse.loads import check_source, missing_loads, newest_loads

WRITER_POOL = "insights_writer"


class Gate(BaseSensorOperator):
    """Skips the run where the DAG is not enabled, waits for what can come by itself, and fails at once on the rest.

    It waits for missing loads and for transient errors (InsightsError.is_transient), such as a server that does not
    answer. The operational tables must answer, unless `loaded` names what the load log must have a load of. Between two
    looks no worker is kept busy.
    """

    ui_color = "#f4e3c1"

    def __init__(self, *, dag_key: str, loaded: Sequence[str] = (), present: Sequence[str] = (), **kwargs: Any) -> None:
        """`dag_key` is the DAG's key in dags.yaml.

        `loaded` are relations that must be loaded as of the run's `as_of` or later, which is waited for; `present`
        those that must have been loaded at any time, which is not.
        """
        super().__init__(mode="reschedule", **kwargs)
        self.dag_key = dag_key
        self.loaded = tuple(loaded)
        self.present = tuple(present)
        self.lacking = ""

    def execute(self, context: Context) -> Any:
        """Look, and come back later while something is missing; when time is up, the error says what still is."""
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
        """Whether everything is there; says in the log what is not."""
        self.lacking = self._lacking(load_settings(), run_as_of(context)) or ""
        if self.lacking:
            self.log.info("Waiting. %s", self.lacking)
        return not self.lacking

    def _lacking(self, settings: Settings, as_of: date) -> str | None:
        """What is missing, as a sentence; raises InsightsError for what waiting does not help with."""
        try:
            with Database.open(settings) as db:
                check_as_of(db, as_of)
                if not self.loaded:
                    check_source(db)
                loads = newest_loads(db, {*self.loaded, *self.present})
        except InsightsError as error:
            if error.is_transient:
                return str(error)
            raise
        if never := missing_loads(loads, self.present, None):
            raise NotBuiltError(f"{never} No DAG loads that before this one needs it; run once: insights build")
        return missing_loads(loads, self.loaded, as_of)


def skip_reason(settings: Settings, dag_key: str) -> str | None:
    """Why a DAG does nothing in this environment (decision D9); None where it is enabled."""
    if settings.is_enabled(dag_key):
        return None
    if settings.environment == "offline":
        return "In offline nothing runs: insights.offline.enabled in config/insights/config.yaml is false."
    dag = settings.dags[dag_key]
    return (
        f"{dag.id} is not enabled in {settings.environment}: config/insights/dags.yaml names"
        f" {', '.join(dag.enabled_environments)}. By hand, the command insights does the same work."
    )


def pool_problem() -> str | None:
    """What is wrong with the pool of the writers: tasks of a missing one would wait for ever, without a word."""
    pool = Pool.get_pool(WRITER_POOL)
    if pool is not None and pool.slots == 1:
        return None
    found = f"has {pool.slots} slots" if pool else "does not exist"
    command = f"airflow pools set {WRITER_POOL} 1 'One writer'"
    return f"Airflow's pool {WRITER_POOL} {found}; it must have one slot. Run: {command}"
