"""The weekly repair: compares every row with its source, because a watermark can miss rows that commit late.

And the weekly recount: runs every data test over all rows, because a test of a load looks at what was written since.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import sql

from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.dbt_failures import failure
from orchestration.flows import FACTS
from orchestration.manifest import KINDS, PACKAGE, Relation, marts, nodes, read_manifest, relations
from orchestration.warehouse.connection import open_session
from orchestration.warehouse.database import Database
from orchestration.warehouse.source.guard import Confirmed
from orchestration.warehouse.writer_lock import CLAIM
from orchestration.warehouse.written import Written, database_time, written_since

__all__ = ["Recount", "Written", "reconcile", "recount"]

# With the reference data that the models read, and without tests.
COMMAND = ("build", "--resource-type", "model", "--resource-type", "seed", "--selector", "reconcile", "--quiet")
TESTS = ("build", "--resource-type", "test", "--select", f"package:{PACKAGE}", "--quiet")


@dataclass(frozen=True)
class Recount:
    """A recount that found no wrong row: the number of its data tests, and how long they took in seconds."""

    tests: int
    seconds: float

    def __str__(self) -> str:
        """Return a sentence for a person."""
        return f"{self.tests} data tests passed over all rows, in {self.seconds:.1f} s."


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
    with open_session(url, autocommit=True) as connection:
        db = Database(settings, connection)
        started = database_time(db)
        load(scan_all=True)
        # The next load of each report counts all rows again (decision D215).
        db.execute(sql.SQL("update {} set counted_at = '-infinity'").format(db.ops("counted_reports")))
        found = {r.name: written_since(db, sql.Identifier(r.schema, r.identifier), r.key, started) for r in repairable}
    return {name: written for name, written in found.items() if written.total}


def _repairable(settings: Settings) -> list[Relation]:
    """Return the incremental facts; every load rebuilds the others."""
    manifest = read_manifest(settings)
    project = relations(manifest)
    facts = (project[name] for name in marts(manifest, dag=FACTS.dag, folder=FACTS.folder))
    return [relation for relation in facts if relation.materialized == "incremental"]


def recount(
    settings: Settings,
    url: str,
    as_of: date | None,
    on_line: Callable[[str], None] | None = None,
) -> Recount:
    """Run every data test over all rows, not only those that were written since it last passed (decision D173).

    Tests of relations that are not built yet are left out. If it fails or ends early, the next run of each test that
    has not passed looks at all rows again; if it is refused, nothing has changed. Raises FailedError with the tests
    that failed, and like `dbt.write`.
    """
    manifest = read_manifest(settings)
    with open_session(url, autocommit=True) as connection:
        missing = _missing(Database(settings, connection), manifest)

    def forget_passes(claim: int) -> None:
        with open_session(url) as connection, connection.transaction():
            db = Database(settings, connection)
            db.execute(sql.SQL("select {}(%s, %s)").format(db.ops("prove_claim")), [CLAIM, claim])
            db.execute(sql.SQL("update {} set checked_through = null").format(db.ops("test_results")))

    command, variables = (*TESTS, *(("--exclude", *missing) if missing else ())), dbt.as_of_variable(as_of)
    started = time.monotonic()
    run = dbt.write(settings, command, url=url, variables=variables, on_line=on_line, before=forget_passes)
    if run.exit_code:
        raise failure(run)
    return Recount(run.nodes(), time.monotonic() - started)


def _missing(db: Database, manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of the relations that the warehouse does not have."""
    built = [node for node in nodes(manifest) if node["resource_type"] in KINDS]
    return sorted(db.missing({node["name"]: sql.Identifier(node["schema"], node["alias"]) for node in built}))
