"""The statements of a purge: which rows of a relation are out of retention, and their deletion batch by batch.

A connection must run in UTC: dates and moments are compared with a date.
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
    """How many rows a purge with this cutoff would delete; `leader` is what the relation goes with, if anything."""
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
    """Place and key of every row that is out of retention, in batches; the relation is scanned once.

    The cursor keeps its rows and no snapshot, so the caller commits between batches, and vacuum is not held up.
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
    """Delete the rows of one batch and what goes with them; rows deleted by relation.

    A place that meanwhile holds another row is left alone: the date, or else the key, is asked once more.
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
    """A relation's quoted name."""
    return sql.Identifier(relation.schema, relation.identifier)


def _leaving(retained: Retained) -> sql.Composed:
    """Place and key of the rows whose date is before the cutoff."""
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
