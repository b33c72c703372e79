"""The statements of a purge: find rows that are out of retention, and delete them in batches.

The time zone of the connection must be UTC, because timestamps are compared with a date.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from orchestration.manifest import Relation
from orchestration.retention.plan import Retained


def count_leaving(connection: psycopg.Connection, retained: Retained, leader: Retained | None, cutoff: date) -> int:
    """Return how many rows a purge with this cutoff deletes; `leader` is what the relation goes with, if anything."""
    if retained.date or leader is None:
        query = sql.SQL("select count(*) from ({}) as leaving").format(_leaving(retained))
    else:
        query = sql.SQL("select count(*) from {} where {} in (select key from ({}) as leaving)").format(
            identifier(retained.relation), sql.Identifier(retained.key or ""), _leaving(leader)
        )
    row = connection.execute(query, {"cutoff": cutoff}).fetchone()
    return int(row[0]) if row else 0


def leaving_batches(
    connection: psycopg.Connection, retained: Retained, cutoff: date, size: int
) -> Iterator[list[tuple[str, Any]]]:
    """Yield ctid and key of every row that is out of retention, in batches; the relation is scanned once.

    The cursor is materialized and holds no snapshot, so that the caller can commit between batches and vacuum can run.
    """
    with connection.cursor("leaving_rows", withhold=True) as cursor:
        cursor.execute(_leaving(retained), {"cutoff": cutoff})
        while batch := cursor.fetchmany(size):
            yield batch


def delete_batch(
    connection: psycopg.Connection,
    retained: Retained,
    followers: Sequence[Retained],
    batch: Sequence[tuple[str, Any]],
    cutoff: date,
) -> dict[str, int]:
    """Delete the rows of one batch and those that go with them; returns deleted rows by relation.

    Date or key are checked again, because another row may have taken the ctid in the meantime.
    """
    if retained.dated_by is None:
        unchanged = sql.SQL("{} < %(cutoff)s").format(sql.Identifier(retained.date or ""))
    else:
        unchanged = sql.SQL("{} = any(%(keys)s)").format(sql.Identifier(retained.key or ""))
    keys = [key for _, key in batch]
    query = sql.SQL("delete from {} where ctid = any(%(places)s::tid[]) and {}").format(
        identifier(retained.relation), unchanged
    )
    found = {"places": [place for place, _ in batch], "keys": keys, "cutoff": cutoff}
    deleted = {retained.relation.name: connection.execute(query, found).rowcount}
    for follower in followers:
        query = sql.SQL("delete from {} where {} = any(%s)").format(
            identifier(follower.relation), sql.Identifier(follower.key or "")
        )
        deleted[follower.relation.name] = connection.execute(query, [keys]).rowcount
    return deleted


def identifier(relation: Relation) -> sql.Identifier:
    """Return the quoted name of a relation."""
    return sql.Identifier(relation.schema, relation.identifier)


def _leaving(retained: Retained) -> sql.Composed:
    """Return the query for ctid and key of the rows dated before the cutoff."""
    names = {
        "relation": identifier(retained.relation),
        "date": sql.Identifier(retained.date or ""),
        "key": sql.Identifier("leaving", retained.key) if retained.key else sql.SQL("null"),
    }
    if retained.dated_by is None:
        query = "select ctid, {key} as key from {relation} as leaving where {date} < %(cutoff)s"
        return sql.SQL(query).format(**names)
    return sql.SQL(
        "select leaving.ctid, {key} as key from {relation} as leaving"
        " left join {view} as dated on {key} = dated.{joined} where coalesce(dated.{date} < %(cutoff)s, true)"
    ).format(view=identifier(retained.dated_by), joined=sql.Identifier(retained.key or ""), **names)
