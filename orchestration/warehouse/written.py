"""Which rows of a relation were written since a moment, by their `loaded_at`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from orchestration.warehouse.database import Database

EXAMPLES = 5


@dataclass(frozen=True)
class Written:
    """How many rows of a relation were written, and the keys of the first few."""

    total: int
    examples: list[str]


def database_time(db: Database) -> datetime:
    """Return the time of the database's clock, which `loaded_at` is taken from."""
    now: datetime = db.value("select clock_timestamp()")
    return now


def written_since(db: Database, relation: sql.Identifier, key: Sequence[str], moment: datetime) -> Written:
    """Return the rows written since a moment; the columns of a longer key are joined by commas."""
    columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in key)
    query = sql.SQL("select concat_ws(', ', {}) from {} where loaded_at >= %s order by 1").format(columns, relation)
    keys = [name for (name,) in db.rows(query, [moment])]
    return Written(len(keys), keys[:EXAMPLES])
