"""Looks at everything that a load, the service and the cache lean on, and says what to do about each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from orchestration.config.files import Settings
from orchestration.config.variables import SERVING_URL
from orchestration.errors import InsightsError
from orchestration.monitoring.findings import Finding
from orchestration.monitoring.machine_checks import machine_checks
from orchestration.monitoring.server_checks import server_checks
from orchestration.warehouse.database import Database
from orchestration.warehouse.publications import is_serving


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each thing that was looked at; a check that fails is a finding itself."""
    for check in machine_checks():
        yield from check(settings)
    try:
        with Database.open(settings) as db:
            yield Finding("warehouse", "ok", f"answers as {db.connection.info.user}")
            for one in server_checks(is_serving=is_serving(db)):
                yield from _guarded(one, db)
    except InsightsError as error:
        variable = SERVING_URL if settings.is_duckdb else "INSIGHTS_WAREHOUSE_URL"
        yield Finding("warehouse", "broken", str(error), f"Look at PostgreSQL and {variable}.")


def _guarded(check: Callable[[Database], Iterable[Finding]], db: Database) -> Iterator[Finding]:
    try:
        yield from check(db)
    except InsightsError as error:
        yield Finding(check.__name__.strip("_"), "broken", str(error), "Run: insights init")
