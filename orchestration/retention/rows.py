"""The statements of a purge: find rows that are out of retention, and delete them in batches.

The time zone of the connection must be UTC, because timestamps are compared with a date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from orchestration.manifest import Relation
from orchestration.retention.log import PurgeLog
from orchestration.retention.plan import Retained

FIRST_PLACE = "(0,0)"  # before the ctid of every row


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


@dataclass(frozen=True)
class Batch:
    """The rows of one transaction: a condition on `leaving`, and its values."""

    condition: sql.Composable
    values: Mapping[str, Any]


def leaving_batches(connection: psycopg.Connection, retained: Retained, cutoff: date, size: int) -> Iterator[Batch]:
    """Yield batches of at most `size` rows, in their order in the relation; together they are all that must leave.

    The caller commits between batches. A batch is a range of places, so that no row crosses the connection (decision
    D201). Rows that a view dates are found once, because the view may be expensive.
    """
    if retained.dated_by:
        yield from _dated_by_view(connection, retained, cutoff, size)
        return
    within = sql.SQL("leaving.ctid > %(after)s::tid and leaving.ctid <= %(through)s::tid and leaving.{} < %(cutoff)s")
    condition = within.format(sql.Identifier(retained.date or ""))
    after = FIRST_PLACE
    for (through,) in connection.execute(_ends(retained), {"cutoff": cutoff, "size": size}).fetchall():
        yield Batch(condition, {"after": after, "through": through, "cutoff": cutoff})
        after = through


def _dated_by_view(connection: psycopg.Connection, retained: Retained, cutoff: date, size: int) -> Iterator[Batch]:
    """Yield batches of places. The key is compared too, because another row may take a place in the meantime.

    The cursor is materialized and holds no snapshot, so that the caller can commit between batches and vacuum can run.
    """
    places = sql.SQL("leaving.ctid = any(%(places)s::tid[]) and {} = any(%(keys)s)")
    condition = places.format(_key_text(retained.key, "leaving"))
    with connection.cursor("leaving_rows", withhold=True) as cursor:
        cursor.execute(_leaving(retained), {"cutoff": cutoff})
        while batch := cursor.fetchmany(size):
            yield Batch(condition, {"places": [row[0] for row in batch], "keys": [row[1] for row in batch]})


def halves(connection: psycopg.Connection, retained: Retained, batch: Batch) -> list[Batch]:
    """Return two batches with the rows of one that has at least two."""
    if places := batch.values.get("places"):
        middle, keys = len(places) // 2, batch.values["keys"]
        parts = ((places[:middle], keys[:middle]), (places[middle:], keys[middle:]))
        return [Batch(batch.condition, {"places": place, "keys": key}) for place, key in parts]
    query = sql.SQL(
        "select (array_agg(leaving.ctid order by leaving.ctid))[count(*) / 2]::text from {} as leaving where {}"
    ).format(identifier(retained.relation), batch.condition)
    ((middle,),) = connection.execute(query, batch.values).fetchall()
    return [Batch(batch.condition, {**batch.values, **end}) for end in ({"through": middle}, {"after": middle})]


def delete_batch(log: PurgeLog, retained: Retained, followers: Sequence[Retained], batch: Batch) -> dict[str, int]:
    """Delete the rows of one batch and those that go with them, and log them, in one statement.

    Returns deleted rows by relation.
    """
    parts = [
        sql.SQL("gone as (delete from {} as leaving where {} returning {})").format(
            identifier(retained.relation), batch.condition, _columns(retained.key) if followers else sql.SQL("1")
        )
    ]
    parts += [
        sql.SQL("{} as (delete from {} as follower using gone where {} returning 1)").format(
            sql.Identifier(f"with_{number}"), identifier(follower.relation), _same(follower.key, "follower", "gone")
        )
        for number, follower in enumerate(followers)
    ]
    deleted = {retained.relation.name: "gone"} | {f.relation.name: f"with_{n}" for n, f in enumerate(followers)}
    counts = [
        sql.SQL("select {}::bigint, count(*) from {}").format(log.ids[name], sql.Identifier(source))
        for name, source in deleted.items()
    ]
    query = sql.SQL(
        "with {}, deleted (id, rows) as ({}) update {} as log set rows_purged = rows_purged + deleted.rows"
        " from deleted where purge_log_id = deleted.id returning relation_name, deleted.rows"
    ).format(sql.SQL(", ").join(parts), sql.SQL(" union all ").join(counts), log.db.ops("purge_log"))
    return dict(log.db.connection.execute(query, batch.values).fetchall())


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


def _ends(retained: Retained) -> sql.Composed:
    """Return the query for the last ctid of each batch of rows before the cutoff, in their order."""
    return sql.SQL(
        "select ctid::text from (select leaving.ctid, row_number() over (order by leaving.ctid) as number,"
        " count(*) over () as total from {} as leaving where leaving.{} < %(cutoff)s) as numbered"
        " where number %% %(size)s = 0 or number = total order by number"
    ).format(identifier(retained.relation), sql.Identifier(retained.date or ""))


def _columns(key: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, key))


def _key_text(key: Sequence[str], table: str) -> sql.Composed:
    """A key of any number of columns as one text."""
    return sql.SQL("row({})::text").format(sql.SQL(", ").join(sql.Identifier(table, column) for column in key))


def _same(key: Sequence[str], one: str, other: str) -> sql.Composed:
    """The condition that two tables have the same key."""
    pairs = (sql.SQL("{} = {}").format(sql.Identifier(one, column), sql.Identifier(other, column)) for column in key)
    return sql.SQL(" and ").join(pairs)
