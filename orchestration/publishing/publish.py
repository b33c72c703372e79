"""Publishes a file of DuckDB: the serving database has the former load, or the new one, whole (decision D265)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError
from orchestration.manifest import read_manifest, relations
from orchestration.progress import Progress
from orchestration.publishing import serving, tables
from orchestration.publishing.definitions import Definition, declared_relations, read_definitions
from orchestration.publishing.serving import MESSAGES, Published
from orchestration.publishing.source import LOADS, Count, Source
from orchestration.warehouse.database import Database
from orchestration.warehouse.writer_lock import CLAIM, writer_lock

# A transaction may take as long as the copy does. The server notices a killed client.
_SESSION = """
    set local statement_timeout = 0;
    set local idle_in_transaction_session_timeout = 0;
    set local client_connection_check_interval = '1s';
    set local lock_timeout = '15s'
"""


@dataclass(frozen=True)
class RelationReport:
    """What became of one relation: its rows, how many of them were copied, and how many rows were written."""

    name: str
    rows: int
    copied: int
    written: int


@dataclass(frozen=True)
class PublishReport:
    """What a publication did. `number` is None if nothing had changed since the one at `last`.

    `loads` is the number of loads that became known, `emptied` are relations that are no longer declared.
    """

    number: int | None
    last: str
    through: str
    whose: str
    loads: int
    relations: list[RelationReport]
    emptied: list[str] = field(default_factory=list)


def publish(settings: Settings, progress: Progress | None = None) -> PublishReport:
    """Copy what exposures declare from the file to the serving database, in one transaction.

    Raises MisconfiguredError without a file or a serving database; RefusedError in `offline` unless it is enabled;
    BusyError while a build writes the file or another process the database; NotBuiltError if the file lacks a relation;
    NotPreparedError if the database does; ConflictError like `check_origin`; FailedError if a table would not equal
    that of the file. Nothing is changed then.
    """
    settings.check_offline("Publications")
    url = settings.serving_url
    if url is None:
        raise MisconfiguredError(
            "insights publish copies a file of DuckDB to PostgreSQL: it needs insights.warehouse.type duckdb and"
            " INSIGHTS_SERVING_URL, the address of the serving database."
        )
    manifest = read_manifest(settings.of_postgres())
    names = declared_relations(manifest)
    with Source.open(settings) as source, Database.open(settings, url, messages=MESSAGES) as db:
        origin = source.origin()
        serving.check_origin(db, origin)
        definitions = read_definitions(settings, url, names)
        source.check(definitions)
        with writer_lock(db) as claim:
            serving.check_origin(db, origin)  # another process may have published since
            known = serving.published_relations(db)
            gone = {name: relations(manifest).get(name) for name in known.keys() - set(names)}
            loads = source.loads()
            newest = {load[0]: load[LOADS.index("invocation_id")] for load in loads}
            with _transaction(db, claim):
                missing = serving.missing_loads(db, loads, names)
                work = [_look(db, source, one, known.get(one.name), newest.get(one.name)) for one in definitions]
                is_new = bool(missing or gone or any(one.is_needed for one in work))
                reports = _copy(db, source, work, progress)
                for relation in filter(None, gone.values()):
                    tables.empty(db, sql.Identifier(relation.schema, relation.identifier))
                number = None
                if is_new:
                    for definition in definitions:
                        tables.describe(db, definition)
                    number = serving.add_publication(db, origin, claim)
                    serving.add_loads(db, missing, claim)
                    now = {one.name: Published(one.count, newest.get(one.name)) for one in work}
                    serving.keep_published(db, number, now, [one.name for one in work if one.is_needed])
            last = serving.last_publication(db)
    return PublishReport(number, last, origin.loaded_through, origin.whose, len(missing), reports, sorted(gone))


@dataclass(frozen=True)
class _Work:
    """What is to be done with a relation."""

    definition: Definition
    count: Count
    is_missing: bool
    changes: list[tables.Change]
    differs: bool

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def is_needed(self) -> bool:
        return self.is_missing or self.differs or bool(self.changes)


def _look(
    db: Database, source: Source, definition: Definition, known: Published | None, invocation_id: str | None
) -> _Work:
    """Compare a relation of the file with what was last published of it.

    A relation of the same load has the same rows, because a load and its log are one transaction; otherwise the rows
    are counted.
    """
    is_missing = tables.is_missing(db, definition)
    changes = [] if is_missing else tables.changes_of(db, definition)
    is_same_load = known is not None and invocation_id is not None and known.invocation_id == invocation_id
    count = known.count if known and is_same_load else source.count(definition)
    return _Work(definition, count, is_missing, changes, known is None or known.count != count)


def _copy(db: Database, source: Source, work: list[_Work], progress: Progress | None) -> list[RelationReport]:
    total, done = sum(one.count.rows for one in work if one.is_needed), 0
    reports = []

    def step_of(name: str) -> Callable[[int], None]:
        def step(rows: int) -> None:
            nonlocal done
            done += rows
            if progress:
                progress(done, total, name)

        return step

    for one in work:
        written, step = 0, step_of(one.name)
        if one.is_missing:
            written = tables.create(db, one.definition, source, step)
        elif one.is_needed:
            written = tables.replace(db, one.definition, source, one.changes, step)
        if one.is_needed:
            tables.finish(db, one.definition, one.count)
        reports.append(RelationReport(one.name, one.count.rows, one.count.rows if one.is_needed else 0, written))
    return reports


@contextmanager
def _transaction(db: Database, claim: int) -> Iterator[None]:
    """Run a block as one transaction, which proves first that this process holds the writer lock (decision D148)."""
    with db.errors(), db.connection.transaction():
        db.execute(_SESSION)
        db.execute(sql.SQL("select {}(%s, %s)").format(db.ops("prove_claim")), [CLAIM, claim])
        yield
