"""Checks the prerequisites of a job: readable operational tables, and entries in the load log (decision D10)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import sql

from orchestration.errors import ConflictError, NotBuiltError, NotPreparedError, RefusedError
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.database import Database

UNREADABLE = "The operational tables cannot be read ({detail}). Run: insights init"


@dataclass(frozen=True)
class Load:
    """The newest load of a relation: `as_of`, horizon (exclusive end of its data), end of its changes, and its time."""

    as_of: date
    horizon: date
    loaded_through: datetime
    loaded_at: datetime


def check_source(db: Database) -> None:
    """Read a row of every operational table, as the ETL role.

    Raises NotPreparedError if a table does not exist, RefusedError if it may not be read, and UnavailableError if the
    source, which may be another server, does not respond.
    """
    probe = db.saying({NotBuiltError: UNREADABLE, RefusedError: UNREADABLE})
    try:
        for table in contract_tables():
            probe.execute(sql.SQL("select from {} limit 1").format(db.source(table.name)))
    except NotBuiltError as error:
        raise NotPreparedError(str(error)) from error


def refuse_serving(db: Database) -> None:
    """Raise ConflictError if this is the serving database of a file of DuckDB, whose rows only publications write."""
    if db.value(sql.SQL("select exists (select from {})").format(db.ops("publications"))):
        raise ConflictError(
            "insights publish writes this database, and what loads and purges change here would be lost or mixed with"
            " it. Name the warehouse in INSIGHTS_WAREHOUSE_URL; to publish, set insights.warehouse.type to duckdb."
        )


def newest_loads(db: Database, relations: Collection[str]) -> dict[str, Load]:
    """Return the newest load of each relation; those that were never loaded are left out.

    Raises NotPreparedError without `insights init`.
    """
    query = sql.SQL(
        """
        select newest.*
        from unnest(%s::text[]) as asked (relation_name)
        cross join lateral (
            select relation_name, as_of, horizon, loaded_through, logged_at
            from {} as log
            where log.relation_name = asked.relation_name
            order by load_log_id desc
            limit 1
        ) as newest
        """
    ).format(db.ops("load_log"))
    return {name: Load(*row) for name, *row in db.rows(query, [list(relations)])}


def missing_loads(loads: Mapping[str, Load], relations: Collection[str], as_of: date | None) -> str | None:
    """Return a sentence about the relations without a load as of this date or later; None if all have one.

    Without `as_of`, any load counts.
    """
    lacking = []
    for name in sorted(relations):
        if name not in loads:
            lacking.append(f"{name} (never loaded)")
        elif as_of and loads[name].horizon < as_of:
            lacking.append(f"{name} (last: {loads[name].horizon})")
    if not lacking:
        return None
    return f"The load log has no load{f' of {as_of}' if as_of else ''} yet of: {', '.join(lacking)}."
