"""The weekly repair: no watermark can promise a late commit, so now and then every row is compared with its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.errors import FailedError
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database

# The incremental relations and their keys.
RELATIONS = {
    "dim_tasks": "task_id",
    "fact_tasks": "task_id",
    "dim_cases": "case_id",
    "fact_cases": "case_id",
    "fact_wellbeing_checkins": "checkin_id",
}
EXAMPLES = 5


@dataclass(frozen=True)
class Repaired:
    """How many rows of a relation were missing or stale, and the keys of the first few."""

    total: int
    examples: list[str]


def reconcile(
    settings: Settings, url: str, as_of: date | None, on_line: Callable[[str], None] | None = None
) -> dict[str, Repaired]:
    """Run an ordinary load, then one that looks at every source row; what the second writes, the overlap had missed.

    Returns the repaired relations; raises FailedError when one of the loads fails. dbt's output goes to `on_line`, if
    given.
    """

    def load(*, scan_all: bool) -> None:
        variables = dbt.as_of_variable(as_of) | ({"scan_all": True} if scan_all else {})
        run = dbt.write(settings, select, url=url, variables=variables, on_line=on_line)
        if run.exit_code:
            raise FailedError(
                f"dbt failed with exit code {run.exit_code}; its messages are above. Nothing is half-written."
            )

    # The view int_task_outcomes reads a table that is made anew for the marts, and leaves with the old one.
    models = [*(f"+{name}" for name in (*RELATIONS, "rejects")), "int_task_outcomes"]
    # With the reference data that they read, and without tests.
    kinds = ["--resource-type", "model", "--resource-type", "seed"]
    select = ["build", *kinds, "--select", *models, "--quiet"]
    load(scan_all=False)
    with connect(url, autocommit=True) as connection:
        db = Database(settings, connection)
        started = db.value("select clock_timestamp()")
        load(scan_all=True)
        repaired = {}
        for name, key in RELATIONS.items():
            query = sql.SQL("select {}::text from {} where loaded_at >= %s order by 1")
            rows = db.rows(query.format(sql.Identifier(key), db.mart(name)), [started])
            if rows:
                repaired[name] = Repaired(len(rows), [key for (key,) in rows[:EXAMPLES]])
    return repaired
