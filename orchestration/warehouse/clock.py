"""Checks `as_of`, which may be at most tomorrow by the database's clock (decision D21)."""

from __future__ import annotations

from datetime import date

from psycopg import sql

from orchestration.errors import BadInputError
from orchestration.warehouse.database import Database


def check_as_of(db: Database, as_of: date) -> None:
    """Raise BadInputError if a UTC date is after tomorrow, NotPreparedError without `insights init`.

    dbt's macro `assert_prepared` calls the same function of the database.
    """
    if db.value(sql.SQL("select %s::date > {}()").format(db.ops("latest_as_of")), [as_of]):
        raise BadInputError(f"as_of {as_of} is in the future; the latest that can be is tomorrow (UTC).")
