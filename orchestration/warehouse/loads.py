"""What must be there before a job may begin, and what the load log says of it (decision D10)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import InsightsError
from orchestration.warehouse.contract import contract_tables


@dataclass(frozen=True)
class Load:
    """The newest load of a relation: its clock, the latest clock it counts by, and up to when changes were seen."""

    as_of: date
    horizon: date
    loaded_through: datetime


def check_source(connection: psycopg.Connection, settings: Settings) -> None:
    """Ask every operational table for a row, as the ETL role.

    Raises InsightsError when the database is not prepared, or a table is gone or refused; psycopg.OperationalError when
    the source, which may be another server, does not answer.
    """
    _load_log(connection, settings)
    schema = settings.insights.source.schema_name
    try:
        for table in contract_tables():
            connection.execute(sql.SQL("select from {} limit 1").format(sql.Identifier(schema, table.name)))
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege) as error:
        raise InsightsError(
            f"The operational tables cannot be read ({str(error).splitlines()[0]}). Run: insights init"
        ) from error


def newest_loads(connection: psycopg.Connection, settings: Settings, relations: Collection[str]) -> dict[str, Load]:
    """The newest load of each of these relations; those that were never loaded are left out.

    Raises InsightsError when the database is not prepared.
    """
    query = sql.SQL(
        """
        select distinct on (relation_name) relation_name, as_of, horizon, loaded_through
        from {}
        where relation_name = any(%s)
        order by relation_name, load_log_id desc
        """
    ).format(_load_log(connection, settings))
    rows = connection.execute(query, [list(relations)]).fetchall()
    return {name: Load(*row) for name, *row in rows}


def missing_loads(loads: Mapping[str, Load], relations: Collection[str], as_of: date | None) -> str | None:
    """A sentence on the relations that no load as of this date, or a later one, has brought; None when all are there.

    Without `as_of`, any load will do.
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


def _load_log(connection: psycopg.Connection, settings: Settings) -> sql.Identifier:
    table = sql.Identifier(f"{settings.insights.warehouse.schema_name}_ops", "load_log")
    if connection.execute("select to_regclass(%s)", [table.as_string(connection)]).fetchone() == (None,):
        raise InsightsError("This database is not prepared. Run first: insights init")
    return table
