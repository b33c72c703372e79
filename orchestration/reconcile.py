"""The weekly repair: compares every row with its source, because a watermark can miss rows that commit late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from psycopg import sql

from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.dbt_failures import failure
from orchestration.flows import FACTS
from orchestration.manifest import Relation, marts, read_manifest, relations
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.source_guard import Confirmed
from orchestration.warehouse.written import Written, database_time, written_since

__all__ = ["Written", "reconcile"]

# With the reference data that the models read, and without tests.
COMMAND = ("build", "--resource-type", "model", "--resource-type", "seed", "--selector", "reconcile", "--quiet")


def reconcile(
    settings: Settings,
    url: str,
    as_of: date | None,
    on_line: Callable[[str], None] | None = None,
    confirmed: Confirmed = dbt.NOTHING,
) -> dict[str, Written]:
    """Run an incremental load, then one that reads every source row; the rows that the second writes were missed.

    Returns the repaired relations. Raises FailedError or UnavailableError if a load fails and, before a relation
    is changed, like `check_source_rows`. dbt's output goes to `on_line`, if given.
    """

    def load(*, scan_all: bool) -> None:
        variables = dbt.as_of_variable(as_of) | ({"scan_all": True} if scan_all else {})
        check = None if scan_all else confirmed
        run = dbt.write(settings, COMMAND, url=url, variables=variables, on_line=on_line, confirmed=check)
        if run.exit_code:
            raise failure(run).extended("Nothing is half-written.")

    repairable = _repairable(settings)
    load(scan_all=False)
    with connect(url, autocommit=True) as connection:
        db = Database(settings, connection)
        started = database_time(db)
        load(scan_all=True)
        found = {r.name: written_since(db, sql.Identifier(r.schema, r.identifier), r.key, started) for r in repairable}
    return {name: written for name, written in found.items() if written.total}


def _repairable(settings: Settings) -> list[Relation]:
    """Return the incremental facts; every load rebuilds the others."""
    manifest = read_manifest(settings)
    project = relations(manifest)
    facts = (project[name] for name in marts(manifest, dag=FACTS.dag, folder=FACTS.folder))
    return [relation for relation in facts if relation.materialized == "incremental"]
