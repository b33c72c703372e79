"""The first step of every DAG: checks that the DAG may run here, and waits for the data that it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from airflow.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from airflow.models.pool import Pool
from airflow.sensors.base import BaseSensorOperator
from airflow.utils.context import Context

from orchestration.config.files import Settings, load_settings
from orchestration.dags.clock import run_as_of
from orchestration.dags.confirmations import run_confirmed
from orchestration.errors import InsightsError, NotBuiltError
from orchestration.warehouse.clock import check_as_of
from orchestration.warehouse.database import Database
from orchestration.warehouse.loads import check_source, missing_loads, newest_loads
from orchestration.warehouse.source_guard import Confirmed, check_source_rows

WRITER_POOL = "insights_writer"


class Gate(BaseSensorOperator):
    """Skips the run where the DAG is not enabled, waits for missing loads, and fails at once on permanent errors.

    It also waits on transient errors (InsightsError.is_transient), such as a server that does not respond. Without
    `loaded`, the operational tables must be readable. No worker slot is occupied between two checks.
    """

    ui_color = "#f4e3c1"

    def __init__(
        self,
        *,
        dag_key: str,
        loaded: Sequence[str] = (),
        loaders: Mapping[str, str] | None = None,
        present: Sequence[str] = (),
        checks_rows: bool = False,
        **kwargs: Any,
    ) -> None:
        """Set the DAG's key in dags.yaml, the relations that it needs, and by relation the key of the DAG loading it.

        The gate waits for a load of each of `loaded` as of the run's `as_of` or later. It fails at once if one of
        `present` was never loaded, if a load is missing whose DAG in `loaders` is not enabled, so that none will come,
        or, with `checks_rows`, if the source has lost too many rows.
        """
        super().__init__(mode="reschedule", **kwargs)
        self.dag_key = dag_key
        self.loaded = tuple(loaded)
        self.loaders = dict(loaders or {})
        self.present = tuple(present)
        self.checks_rows = checks_rows
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
        self.lacking = self._lacking(load_settings(), run_as_of(context), run_confirmed(context)) or ""
        if self.lacking:
            self.log.info("Waiting. %s", self.lacking)
        return not self.lacking

    def _lacking(self, settings: Settings, as_of: date, confirmed: Confirmed) -> str | None:
        """Return what is missing as a sentence; raises InsightsError for an error that waiting cannot fix."""
        try:
            with Database.open(settings) as db:
                check_as_of(db, as_of)
                if not self.loaded:
                    check_source(db)
                if self.checks_rows:
                    check_source_rows(db, as_of, confirmed)
                loads = newest_loads(db, {*self.loaded, *self.present})
        except InsightsError as error:
            if error.is_transient:
                return str(error)
            raise
        if never := missing_loads(loads, self.present, None):
            raise NotBuiltError(f"{never} No DAG loads these before this one needs them. Run once: insights build")
        lacking = missing_loads(loads, self.loaded, as_of)
        late = {key for name, key in self.loaders.items() if missing_loads(loads, [name], as_of)}
        if disabled := sorted(settings.dags[key].id for key in late if not settings.is_enabled(key)):
            raise NotBuiltError(
                f"{lacking} {_none_will_come(disabled, settings.environment)} (config/insights/dags.yaml)."
                " Run: insights build"
            )
        return lacking


def _none_will_come(dag_ids: Sequence[str], environment: str) -> str:
    if len(dag_ids) == 1:
        return f"None will come, because {dag_ids[0]} is not enabled in {environment}"
    return f"None will come, because these DAGs are not enabled in {environment}: {', '.join(dag_ids)}"


def skip_reason(settings: Settings, dag_key: str) -> str | None:
    """Return why a DAG does nothing in this environment (decision D9); None if it is enabled."""
    if settings.is_enabled(dag_key):
        return None
    if settings.environment == "offline":
        return "No DAG runs in offline: insights.offline.enabled in config/insights/config.yaml is false."
    dag = settings.dags[dag_key]
    return (
        f"{dag.id} is not enabled in {settings.environment}; config/insights/dags.yaml enables it in"
        f" {', '.join(dag.enabled_environments)}. The command insights does the same work by hand."
    )


def pool_problem() -> str | None:
    """Return what is wrong with the writer pool, None if nothing: tasks of a missing pool would be queued forever."""
    pool = Pool.get_pool(WRITER_POOL)
    if pool is not None and pool.slots == 1:
        return None
    found = f"has {pool.slots} slots" if pool else "does not exist"
    command = f"airflow pools set {WRITER_POOL} 1 'One writer'"
    return f"Airflow's pool {WRITER_POOL} {found}; it must have one slot. Run: {command}"
