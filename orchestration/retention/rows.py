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
        query = sql.SQL(
            "select count(*) from {} as follower where exists (select 1 from ({}) as gone where {})"
        ).format(identifier(retained.relation), _leaving(leader), _same(retained.key, "follower", "gone"))
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
            yield [(place, key) for place, key, *_ in batch]


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
        unchanged = sql.SQL("{} = any(%(keys)s)").format(_key_text(retained.key, "leaving"))
    names = [retained.relation.name, *(follower.relation.name for follower in followers)]
    parts = [
        sql.SQL("gone as (delete from {} as leaving where ctid = any(%(places)s::tid[]) and {} returning {})").format(
            identifier(retained.relation), unchanged, _columns(retained.key) if followers else sql.SQL("1")
        )
    ]
    parts += [
        sql.SQL("{} as (delete from {} as follower using gone where {} returning 1)").format(
            sql.Identifier(f"with_{number}"), identifier(follower.relation), _same(follower.key, "follower", "gone")
        )
        for number, follower in enumerate(followers)
    ]
    counts = [sql.Identifier("gone"), *(sql.Identifier(f"with_{number}") for number in range(len(followers)))]
    query = sql.SQL("with {} select {}").format(
        sql.SQL(", ").join(parts),
        sql.SQL(", ").join(sql.SQL("(select count(*) from {})").format(name) for name in counts),
    )
    found = {"places": [place for place, _ in batch], "keys": [key for _, key in batch], "cutoff": cutoff}
    (rows,) = connection.execute(query, found).fetchall()
    return dict(zip(names, rows, strict=True))


def identifier(relation: Relation) -> sql.Identifier:
    """Return the quoted name of a relation."""
    return sql.Identifier(relation.schema, relation.identifier)


def _leaving(retained: Retained) -> sql.Composed:
    """Return the query for ctid, key as text and key columns of the rows dated before the cutoff."""
    key = retained.key
    names = {
        "relation": identifier(retained.relation),
        "date": sql.Identifier(retained.date or ""),
        "key": _key_text(key, "leaving"),
        "columns": sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier("leaving", column)) for column in key),
    }
    if retained.dated_by is None:
        query = "select leaving.ctid, {key}{columns} from {relation} as leaving where {date} < %(cutoff)s"
        return sql.SQL(query).format(**names)
    return sql.SQL(
        "select leaving.ctid, {key}{columns} from {relation} as leaving"
        " left join {view} as dated on {same} where coalesce(dated.{date} < %(cutoff)s, true)"
    ).format(view=identifier(retained.dated_by), same=_same(key, "leaving", "dated"), **names)


def _columns(key: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, key))


def _key_text(key: Sequence[str], table: str) -> sql.Composed:
    """A key of any number of columns as one text."""
    return sql.SQL("row({})::text").format(sql.SQL(", ").join(sql.Identifier(table, column) for column in key))


def _same(key: Sequence[str], one: str, other: str) -> sql.Composed:
    """The condition that two tables have the same key."""
    pairs = (sql.SQL("{} = {}").format(sql.Identifier(one, column), sql.Identifier(other, column)) for column in key)
    return sql.SQL(" and ").join(pairs)
