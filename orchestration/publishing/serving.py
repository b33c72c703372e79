"""The serving database: what it has, what may be copied to it, and what was copied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from orchestration.errors import (
    ConflictError,
    NotBuiltError,
    NotPreparedError,
    RefusedError,
    UnavailableError,
)
from orchestration.publishing.source import LOADS, Count, Origin
from orchestration.warehouse.database import Database
from orchestration.warehouse.translation import Messages

INIT = "The serving database is not prepared for this release ({detail}). Run: insights init"
MESSAGES: Messages = {
    NotPreparedError: INIT,
    NotBuiltError: INIT,
    RefusedError: "This user may not publish ({detail}). INSIGHTS_SERVING_URL must lead to the primary server, as the"
    " role that loads (insights.warehouse.write_user); after an upgrade, run insights init once more.",
    UnavailableError: "The serving database failed ({detail}). It has what it had before: run insights publish again.",
}


@dataclass(frozen=True)
class Published:
    """What was last published of a relation: its rows with their checksum, and the dbt invocation of their load."""

    count: Count
    invocation_id: str | None


def check_origin(db: Database, origin: Origin) -> None:
    """Raise ConflictError if loads write this database, or if the file would undo or mix what was published before."""
    query = sql.SQL(
        "select organization_id::text, coalesce(organization, organization_id::text, 'all organizations'),"
        " loaded_through > %s::timestamptz, loaded_through::timestamptz(0)::text"
        " from {} order by publication_id desc limit 1"
    )
    newest = db.rows(query.format(db.ops("publications")), [origin.loaded_through])
    if not newest:
        if db.value(sql.SQL("select exists (select from {})").format(db.ops("load_log"))):
            raise ConflictError(
                "The database of INSIGHTS_SERVING_URL is a warehouse that loads write, and publishing would replace its"
                " rows. Name a database of its own, and run: insights init"
            )
        return
    ((organization_id, whose, is_older, through),) = newest
    if organization_id != origin.organization_id:
        raise ConflictError(
            f"The serving database has rows of {whose}, and the file those of {origin.whose}: they would be lost or"
            " mixed. Name another database in INSIGHTS_SERVING_URL, and run: insights init"
        )
    if is_older:
        raise ConflictError(
            f"The serving database has changes up to {through}, and the file only up to {origin.loaded_through}: what"
            " was published since would be undone. Load a newer snapshot, then run: insights build"
        )


def published_relations(db: Database) -> dict[str, Published]:
    """Return what was last published of each relation, by name."""
    query = sql.SQL("select relation_name, row_count, checksum::text, load_invocation_id from {}")
    rows = db.rows(query.format(db.ops("published_relations")))
    return {name: Published(Count(count, checksum), invocation) for name, count, checksum, invocation in rows}


def last_publication(db: Database) -> str:
    """Return when the newest publication was, for messages."""
    query = sql.SQL("select max(published_at)::timestamptz(0)::text from {}")
    return str(db.value(query.format(db.ops("publications"))))


def missing_loads(db: Database, loads: Iterable[tuple[Any, ...]], names: Iterable[str]) -> list[tuple[Any, ...]]:
    """Return those loads of the file, of these relations, that the log of the serving database lacks."""
    wanted, invocation = set(names), LOADS.index("invocation_id")
    logged = set(db.rows(sql.SQL("select relation_name, invocation_id from {}").format(db.ops("load_log"))))
    return [load for load in loads if load[0] in wanted and (load[0], load[invocation]) not in logged]


def add_publication(db: Database, origin: Origin, claim: int) -> int:
    """Add a publication, and return its number."""
    settings = db.settings
    query = sql.SQL(
        "insert into {} (loaded_through, organization_id, organization, release, environment, claim_number)"
        " values (%s, %s, %s, %s, %s, %s) returning publication_id"
    )
    whose = (origin.organization_id, origin.organization)
    values = [origin.loaded_through, *whose, settings.version, settings.environment, claim]
    return int(db.value(query.format(db.ops("publications")), values))


def add_loads(db: Database, loads: list[tuple[Any, ...]], claim: int) -> None:
    """Add loads to the log, in their order: each gets the next number here, which caches go by."""
    columns = sql.SQL(", ").join(map(sql.Identifier, (*LOADS, "claim_number")))
    places = sql.SQL(", ").join([sql.Placeholder()] * (len(LOADS) + 1))
    query = sql.SQL("insert into {} ({}) values ({})").format(db.ops("load_log"), columns, places)
    with db.errors(), db.connection.cursor() as cursor:
        cursor.executemany(query, [(*load, claim) for load in loads])


def keep_published(db: Database, publication: int, now: Mapping[str, Published], written: Iterable[str]) -> None:
    """Store what is published now; the relations in `written` belong to this publication, the others stay."""
    table = db.ops("published_relations")
    db.execute(sql.SQL("delete from {} where relation_name <> all(%s)").format(table), [list(now)])
    query = sql.SQL(
        "insert into {table} as former (relation_name, publication_id, row_count, checksum, load_invocation_id)"
        " values (%s, %s, %s, %s, %s) on conflict (relation_name) do update set"
        " publication_id = case when excluded.relation_name = any(%s) then excluded.publication_id"
        " else former.publication_id end,"
        " row_count = excluded.row_count, checksum = excluded.checksum,"
        " load_invocation_id = excluded.load_invocation_id"
    ).format(table=table)
    new = list(written)
    rows = [
        (name, publication, one.count.rows, one.count.checksum, one.invocation_id, new) for name, one in now.items()
    ]
    with db.errors(), db.connection.cursor() as cursor:
        cursor.executemany(query, rows)
