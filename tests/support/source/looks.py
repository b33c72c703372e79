"""Looks at the operational tables, as a load has them, and what they say."""

from __future__ import annotations

from datetime import date

from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.source.guard import Confirmed, check_source_rows
from workshop.sample.load import SAMPLE_AS_OF

CONFIRMED = Confirmed(vanished=True, cutoff=True)
# The tables of which the newest look says that they are as they were at the look before.
UNCHANGED = """
    with looks as (select distinct claim_number from insights_ops.source_fingerprints order by 1 desc limit 2)
    select now.table_name from insights_ops.source_fingerprints as now
    where now.claim_number = (select max(claim_number) from looks)
        and now.unchanged_since <= (select min(claim_number) from looks)
"""


def look(warehouse: Warehouse, claim: int, as_of: date = SAMPLE_AS_OF, settings: Settings | None = None) -> None:
    """Look at the source as the load with this writer lock does."""
    with connect(warehouse.etl_url, autocommit=True) as connection:
        check_source_rows(Database(settings or warehouse.settings, connection), as_of, CONFIRMED, claim)


def unchanged(warehouse: Warehouse) -> set[str]:
    """Return the tables of which the newest look says that they are as they were at the look before."""
    return {name for (name,) in warehouse.rows(UNCHANGED)}
