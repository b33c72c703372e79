"""The default of `as_of`, and its check: it may be at most tomorrow by the database's clock (decision D21)."""

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


def today(db: Database) -> date:
    """Return the default of `as_of`: today's UTC date by the database's clock."""
    found: date = db.value("select cast(now() at time zone 'UTC' as date)")
    return found
