"""The one bound of the clock: `as_of` may be tomorrow at the latest, by the database's time (DECISIONS.md says why)."""

from __future__ import annotations

from datetime import date

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import InsightsError


def check_as_of(connection: psycopg.Connection, settings: Settings, as_of: date) -> None:
    """Raise InsightsError when a UTC date is too late to be a clock, or when the database is not prepared.

    dbt's `assert_prepared` asks the same function of the database.
    """
    latest = sql.Identifier(f"{settings.insights.warehouse.schema_name}_ops", "latest_as_of")
    try:
        row = connection.execute(sql.SQL("select %s::date > {}()").format(latest), [as_of]).fetchone()
    except (psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName) as error:
        raise InsightsError("This database is not prepared. Run first: insights init") from error
    if row == (True,):
        raise InsightsError(f"as_of {as_of} is in the future; the latest that can be is tomorrow (UTC).")
