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
from orchestration.publishing.definitions import Definition
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
    """What was last published of a relation.

    `schema` and `identifier` name its table, `columns` are those that the checksum of `count` covers, as "name type",
    and `invocation_id` is the dbt invocation of its load.
    """

    schema: str
    identifier: str
    columns: tuple[str, ...]
    count: Count
    invocation_id: str | None

    @property
    def place(self) -> tuple[str, str]:
        """The schema and the name of the table."""
        return self.schema, self.identifier

    @classmethod
    def of(cls, definition: Definition, count: Count, invocation_id: str | None) -> Published:
        """Return what is published of a relation with this definition."""
        columns = tuple(f"{name} {kind}" for name, kind in definition.columns)
        return cls(definition.schema, definition.identifier, columns, count, invocation_id)


def check_origin(db: Database, origin: Origin) -> None:
    """Raise ConflictError if loads write this database, or if the file would undo or mix what was published before."""
    query = sql.SQL(
        "select organization_id::text, coalesce(organization, organization_id::text, 'all organizations'),"
        " loaded_through > %(through)s::timestamptz, loaded_through::timestamptz(0)::text,"
        " snapshot_moment > %(moment)s::timestamptz, snapshot_moment::text, environment, source_id"
        " from {} order by publication_id desc limit 1"
    )
    given = {"through": origin.loaded_through, "moment": origin.moment}
    newest = db.rows(query.format(db.ops("publications")), given)
    if not newest:
        if db.value(sql.SQL("select exists (select from {})").format(db.ops("load_log"))):
            raise ConflictError(
                "The database of INSIGHTS_SERVING_URL is a warehouse that loads write, and publishing would replace its"
                " rows. Name a database of its own, and run: insights init"
            )
        return
    ((organization_id, whose, is_older, through, is_of_older_snapshot, moment, environment, source),) = newest
    if organization_id != origin.organization_id:
        raise ConflictError(
            f"The serving database has rows of {whose}, and the file those of {origin.whose}: they would be lost or"
            " mixed. Name another database in INSIGHTS_SERVING_URL, and run: insights init"
        )
    if source and origin.source and source != origin.source:
        raise ConflictError(
            f"The serving database has rows of the operational database {source}, and the file those of"
            f" {origin.source}: they would be lost or mixed. Name another database in INSIGHTS_SERVING_URL, and run:"
            " insights init. If the operational database has moved, see docs/engines/publish.md"
        )
    if len(environments := {environment, db.settings.environment, origin.environment}) > 1:
        raise ConflictError(
            f"The serving database is of the environment {environment}, the file was built in {origin.environment}, and"
            f" ENVIRONMENT is {db.settings.environment}: rows of {' and '.join(sorted(environments))} would be mixed."
            " Name another database in INSIGHTS_SERVING_URL, and run: insights init"
        )
    if is_older:
        raise ConflictError(
            f"The serving database has changes up to {through}, and the file only up to {origin.loaded_through}: what"
            " was published since would be undone. Load a newer snapshot, then run: insights build"
        )
    if is_of_older_snapshot:
        raise ConflictError(
            f"The serving database has a snapshot of {moment}, and the file an older one, of {origin.moment}: what was"
            " published since would be undone. Load a newer snapshot, then run: insights build"
        )


def check_cutoffs(db: Database, loads: Iterable[tuple[Any, ...]]) -> None:
    """Raise ConflictError if a file has rows behind a cutoff of retention that was published, with the relation."""
    cutoffs = {load[0]: load[LOADS.index("cutoff")] for load in loads}
    query = sql.SQL(
        "select here.relation_name, max(here.cutoff)::text, file.cutoff::text from {} as here"
        " join unnest(%s::text[], %s::date[]) as file (name, cutoff) on here.relation_name = file.name"
        " where here.relation_name = any({}()) group by here.relation_name, file.cutoff"
        " having max(here.cutoff) > file.cutoff order by here.relation_name limit 1"
    ).format(db.ops("load_log"), db.ops("raw_event_relations"))
    for name, here, of_file in db.rows(query, [list(cutoffs), list(cutoffs.values())]):
        raise ConflictError(
            f"Rows of {name} before {here} have left the serving database by retention, and the file keeps those since"
            f" {of_file}: they would come back. Lower insights.retention.raw_event_retention_days to what was published"
            " with, delete the file, then run: insights build"
        )


def published_relations(db: Database) -> dict[str, Published]:
    """Return what was last published of each relation, by name."""
    query = sql.SQL(
        "select relation_name, schema_name, identifier, columns, row_count, checksum::text, load_invocation_id from {}"
    )
    return {
        name: Published(schema, identifier, tuple(columns), Count(rows, checksum), invocation)
        for name, schema, identifier, columns, rows, checksum, invocation in db.rows(
            query.format(db.ops("published_relations"))
        )
    }


def last_publication(db: Database) -> str:
    """Return when the newest publication was, for messages."""
    query = sql.SQL("select max(published_at)::timestamptz(0)::text from {}")
    return str(db.value(query.format(db.ops("publications"))))


def missing_loads(db: Database, loads: Iterable[tuple[Any, ...]], names: Iterable[str]) -> list[tuple[Any, ...]]:
    """Return those loads of the file, of these relations, that the log of the serving database lacks."""
    wanted, invocation = set(names), LOADS.index("invocation_id")
    logged = set(db.rows(sql.SQL("select relation_name, invocation_id from {}").format(db.ops("load_log"))))
    return [load for load in loads if load[0] in wanted and (load[0], load[invocation]) not in logged]


def loads_to_log(
    loads: Iterable[tuple[Any, ...]], missing: list[tuple[Any, ...]], written: Iterable[str]
) -> list[tuple[Any, ...]]:
    """Return the missing loads, and the newest load of each written relation that has none among them.

    So rows that were written again, of a load that the log has, get a number that no answer in a cache has.
    """
    newest = {load[0]: load for load in loads}
    again = set(written) - {load[0] for load in missing}
    return [*missing, *(newest[name] for name in sorted(again) if name in newest)]


def add_publication(db: Database, origin: Origin, claim: int) -> int:
    """Add a publication, and return its number."""
    settings = db.settings
    query = sql.SQL(
        "insert into {} (loaded_through, snapshot_moment, source_id, organization_id, organization, release,"
        " environment, claim_number) values (%s, %s, %s, %s, %s, %s, %s, %s) returning publication_id"
    )
    whose = (origin.organization_id, origin.organization)
    values = [
        origin.loaded_through,
        origin.moment,
        origin.source,
        *whose,
        settings.version,
        settings.environment,
        claim,
    ]
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
        "insert into {table} as former (relation_name, schema_name, identifier, columns, publication_id, row_count,"
        " checksum, load_invocation_id) values (%s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (relation_name) do update set schema_name = excluded.schema_name,"
        " identifier = excluded.identifier, columns = excluded.columns,"
        " publication_id = case when excluded.relation_name = any(%s) then excluded.publication_id"
        " else former.publication_id end,"
        " row_count = excluded.row_count, checksum = excluded.checksum,"
        " load_invocation_id = excluded.load_invocation_id"
    ).format(table=table)
    new = list(written)
    rows = [
        (name, *one.place, list(one.columns), publication, one.count.rows, one.count.checksum, one.invocation_id, new)
        for name, one in now.items()
    ]
    with db.errors(), db.connection.cursor() as cursor:
        cursor.executemany(query, rows)
