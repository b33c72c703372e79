"""Organizations as people name them."""

from __future__ import annotations

from uuid import UUID

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import InsightsError


def find_organization(connection: psycopg.Connection, settings: Settings, given: str) -> UUID:
    """The id of the one organization whose slug or id this is; raises InsightsError when there is none or two."""
    table = sql.Identifier(settings.insights.warehouse.schema_name, "dim_organizations")
    query = "select organization_id from {} where slug = %(given)s or organization_id::text = lower(%(given)s)"
    try:
        rows = connection.execute(sql.SQL(query).format(table), {"given": given}).fetchall()
    except psycopg.errors.UndefinedTable as error:
        raise InsightsError("Nothing has been built here yet. Run: insights init, then insights build") from error
    if len(rows) != 1:
        number = "Two organizations have" if rows else "No organization has"
        raise InsightsError(f"{number} the slug or id {given}; dim_organizations has each slug and id.")
    found: UUID = rows[0][0]
    return found
