"""Publishes a file of DuckDB: the serving database has the former load, or the new one, whole (decision D265)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError
from orchestration.manifest import read_manifest, relations
from orchestration.progress import Progress
from orchestration.publishing import serving, tables
from orchestration.publishing.definitions import Definition, declared_relations, read_definitions
from orchestration.publishing.history import built_anew, check_history
from orchestration.publishing.serving import MESSAGES, Published
from orchestration.publishing.source import LOADS, Count, Source
from orchestration.publishing.whole import check_whole, needed_relations, unchanged_snapshot
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

    `loads` is the number of loads that became known, `emptied` are tables that are no longer published.
    """

    number: int | None
    last: str
    through: str
    whose: str
    loads: int
    relations: list[RelationReport]
    emptied: list[str] = field(default_factory=list)


def publish(settings: Settings, progress: Progress | None = None, *, accept_lost: bool = False) -> PublishReport:
    """Copy what exposures declare from the file to the serving database, in one transaction.

    `accept_lost` publishes a file that was built anew although it lacks reviews or months that are served. Raises
    MisconfiguredError without a file or a serving database; RefusedError in `offline` unless it is enabled, and like
    `check_history`; BusyError while a build writes the file, another process the database, or readers hold a table
    whose form or row-level security changes; NotBuiltError if the file lacks a relation, and like `check_whole` and
    `unchanged_snapshot`; NotPreparedError if the database does; ConflictError like `check_origin` and `check_cutoffs`;
    FailedError if a table would not equal that of the file. Nothing is changed then.
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
        check_whole(source, needed_relations(manifest, names), origin.moment)
        definitions = read_definitions(settings, url, names)
        source.check(definitions)
        with unchanged_snapshot(origin), writer_lock(db) as claim:
            serving.check_origin(db, origin)  # another process may have published since
            known = serving.published_relations(db)
            gone = _gone(known, definitions)
            loads = source.loads()
            serving.check_cutoffs(db, loads)
            if not accept_lost:
                check_history(db, source, built_anew(definitions, relations(manifest), known, loads))
            newest = {load[0]: load[LOADS.index("invocation_id")] for load in loads}
            with _transaction(db, claim):
                missing = serving.missing_loads(db, loads, names)
                work = [_look(db, source, one, known.get(one.name), newest.get(one.name)) for one in definitions]
                written = [one.name for one in work if one.is_needed]
                is_new = bool(missing or gone or written or known.keys() - set(names))
                reports = _copy(db, source, work, progress)
                emptied = [".".join(place) for place in gone if tables.empty(db, *place)]
                for definition in definitions:
                    tables.describe(db, definition)  # a release may change comments and rights alone
                number = None
                if is_new:
                    number = serving.add_publication(db, origin, claim)
                    serving.add_loads(db, serving.loads_to_log(loads, missing, written), claim)
                    now = {one.name: Published.of(one.definition, one.count, newest.get(one.name)) for one in work}
                    serving.keep_published(db, number, now, written)
            last = serving.last_publication(db)
    return PublishReport(number, last, origin.loaded_through, origin.whose, len(missing), reports, emptied)


def _gone(known: Mapping[str, Published], definitions: list[Definition]) -> list[tuple[str, str]]:
    """Return schema and name of the tables that were published and are no longer, by the names that they have here.

    A model may be gone from the project, or have another schema or alias now.
    """
    places = {(definition.schema, definition.identifier) for definition in definitions}
    return sorted({one.place for one in known.values()} - places)


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

    A relation of the same load and with the same columns has the same rows, because a load and its log are one
    transaction; otherwise the rows are counted. Those of the serving database always are: another may have written.
    """
    count = None
    if known and invocation_id is not None:
        same = Published.of(definition, known.count, invocation_id)
        count = known.count if same == known else None
    if count is None:
        count = source.count(definition)
    is_missing = tables.is_missing(db, definition)
    changes = [] if is_missing else tables.changes_of(db, definition)
    differs = (
        known is None
        or known.count != count
        or known.place != (definition.schema, definition.identifier)
        or (not is_missing and tables.rows_of(db, definition) != count.rows)
    )
    return _Work(definition, count, is_missing, changes, differs)


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
