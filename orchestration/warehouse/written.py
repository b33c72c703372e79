"""Finds the rows of a relation that were written since a given time, by their `loaded_at`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from orchestration.warehouse.database import Database

EXAMPLES = 5


@dataclass(frozen=True)
class Written:
    """The number of written rows of a relation, and the keys of the first few."""

    total: int
    examples: list[str]


def database_time(db: Database) -> datetime:
    """Return the current time of the database, whose clock sets `loaded_at`."""
    now: datetime = db.value("select clock_timestamp()")
    return now


def written_since(db: Database, relation: sql.Identifier, key: Sequence[str], moment: datetime) -> Written:
    """Return the rows written since `moment`; the columns of a composite key are joined with commas."""
    columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in key)
    query = sql.SQL("select concat_ws(', ', {}) from {} where loaded_at >= %s order by 1").format(columns, relation)
    keys = [name for (name,) in db.rows(query, [moment])]
    return Written(len(keys), keys[:EXAMPLES])
