"""What must not come back when an older state of the warehouse is restored (decision D234).

That is rows that were purged, names of persons who were deleted, and requests for review cases that were delivered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from uuid import UUID

from psycopg import sql
from pydantic import TypeAdapter, ValidationError

from orchestration.errors import BadInputError
from orchestration.retention.plan import load_plan
from orchestration.retention.purge import purge
from orchestration.warehouse.database import Database
from orchestration.warehouse.writer_lock import writer_lock

_CUTOFFS = """
    select distinct on (retention_class) relation_name, retention_class, as_of, cutoff
    from {}
    order by retention_class, cutoff desc, as_of desc
"""
_GONE = "select organization_id, person_id from {} where is_gone"
_DELIVERIES = "select case_id, status, attempts, last_answer from {} where status <> 'pending'"
_ADD_CUTOFF = """
    insert into {log} (relation_name, retention_class, as_of, cutoff, environment)
    select %(relation)s, %(retention_class)s, %(as_of)s, %(cutoff)s, %(environment)s
    where {cutoff}(%(retention_class)s) < %(cutoff)s
"""
_UNFINISHED = "select purge_log_id from {} where finished_at is null and retention_class = any(%s)"
_FINISH = "update {} set finished_at = clock_timestamp() where purge_log_id = any(%s)"
_ERASE = """
    delete from {} as p using unnest(%s::uuid[], %s::uuid[]) as gone (organization_id, person_id)
    where p.organization_id = gone.organization_id and p.person_id = gone.person_id
"""
_MARK_GONE = """
    update {} as p set is_gone = true
    from unnest(%s::uuid[], %s::uuid[]) as gone (organization_id, person_id)
    where p.organization_id = gone.organization_id and p.person_id = gone.person_id and not p.is_gone
"""
_ADD_DELIVERY = """
    insert into {} as d (case_id, status, attempts, last_answer) values (%s, %s, %s, %s)
    on conflict (case_id) do update set
        status = excluded.status,
        attempts = excluded.attempts,
        last_answer = excluded.last_answer
    where d.status = 'pending'
"""


@dataclass(frozen=True)
class Cutoff:
    """The latest cutoff of a class of retention: rows before it were purged."""

    relation: str
    retention_class: str
    as_of: date
    cutoff: date


@dataclass(frozen=True)
class Gone:
    """A person who was deleted from the source, by organization and id."""

    organization_id: UUID
    person_id: UUID


@dataclass(frozen=True)
class Delivered:
    """A review case that was delivered or refused for good."""

    case_id: UUID
    status: str
    attempts: int
    last_answer: str


@dataclass(frozen=True)
class Ledger:
    """What must not come back: dates and ids, and what Core Services answered to deliveries; no names of persons."""

    cutoffs: tuple[Cutoff, ...] = ()
    gone: tuple[Gone, ...] = ()
    delivered: tuple[Delivered, ...] = ()

    def to_json(self) -> bytes:
        """Return the ledger as a JSON document."""
        return LEDGER.dump_json(self, indent=1)


@dataclass(frozen=True)
class Reapplied:
    """How much was taken away again: cutoffs, purged rows, names of persons, open deliveries."""

    cutoffs: int
    rows_purged: int
    persons: int
    deliveries: int


LEDGER = TypeAdapter(Ledger)


def read_ledger(db: Database) -> Ledger:
    """Return what must not come back, as the warehouse knows it now; relations that were never built have nothing."""

    def rows(query: str, relation: sql.Identifier) -> list[tuple[object, ...]]:
        return [] if db.missing({"it": relation}) else db.rows(sql.SQL(query).format(relation))

    made: Callable[..., Ledger] = LEDGER.validate_python
    names = {
        "cutoffs": (Cutoff, rows(_CUTOFFS, db.ops("purge_log"))),
        "gone": (Gone, rows(_GONE, db.mart("dim_persons"))),
        "delivered": (Delivered, rows(_DELIVERIES, db.ops("review_deliveries"))),
    }
    return made({name: tuple(kind(*row) for row in found) for name, (kind, found) in names.items()})


def parse_ledger(text: bytes) -> Ledger:
    """Return the ledger of a JSON document; raises BadInputError if it is none."""
    try:
        return LEDGER.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise BadInputError(
            f"This file was not written by insights backup ledger: {where}: {first['msg']}. Write one with:"
            " insights backup ledger > FILE"
        ) from error


def reapply(db: Database, ledger: Ledger) -> Reapplied:
    """Take away from a restored warehouse what must not have come back, and return how much that was; idempotent.

    The connection of `db` must be the ETL role's, in autocommit mode. The cutoffs come first, so that a load that
    starts in between restores nothing. A call after one that was interrupted purges what that one did not. Raises like
    `purge`.
    """
    with writer_lock(db), db.errors(), db.connection.transaction():
        added = sum(_add(db, cutoff) for cutoff in ledger.cutoffs)
        persons = _erase(db, ledger.gone)
        deliveries = sum(_deliver(db, delivered) for delivered in ledger.delivered)
    purged = 0
    classes = [cutoff.retention_class for cutoff in ledger.cutoffs]
    unfinished = [number for (number,) in db.rows(sql.SQL(_UNFINISHED).format(db.ops("purge_log")), [classes])]
    if unfinished:
        day = max(cutoff.as_of for cutoff in ledger.cutoffs)
        purged = sum(leaving.rows for leaving in purge(db, load_plan(db.settings), day).relations)
        db.execute(sql.SQL(_FINISH).format(db.ops("purge_log")), [unfinished])
    return Reapplied(added, purged, persons, deliveries)


def _add(db: Database, cutoff: Cutoff) -> int:
    query = sql.SQL(_ADD_CUTOFF).format(log=db.ops("purge_log"), cutoff=db.ops("purge_cutoff"))
    return db.execute(query, asdict(cutoff) | {"environment": db.settings.environment}).rowcount


def _erase(db: Database, gone: tuple[Gone, ...]) -> int:
    """Delete the names of persons, and mark them as gone; returns how many names there were."""
    keys = [[one.organization_id for one in gone], [one.person_id for one in gone]]
    personal = sql.Identifier(db.names.personal_schema, "personal_persons")
    persons = db.mart("dim_persons")
    if not gone or db.missing({"personal": personal, "persons": persons}):
        return 0
    db.execute(sql.SQL(_MARK_GONE).format(persons), keys)
    return db.execute(sql.SQL(_ERASE).format(personal), keys).rowcount


def _deliver(db: Database, delivered: Delivered) -> int:
    values = [delivered.case_id, delivered.status, delivered.attempts, delivered.last_answer]
    return db.execute(sql.SQL(_ADD_DELIVERY).format(db.ops("review_deliveries")), values).rowcount
