"""Publications of a file of DuckDB: the first, a daily one and one without changes, against COPY of the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property, partial
from pathlib import Path

from psycopg import sql

from benchmarks.engines import SOURCE, copy_file, of_duckdb, take
from benchmarks.measure import Comparison, Measurement, in_turn, once
from benchmarks.services import Bench, ignored, succeeded
from benchmarks.sizes import FIRST_DAY
from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.manifest import read_manifest
from orchestration.publishing.definitions import Definition, declared_relations, read_definitions
from orchestration.publishing.publish import PublishReport, publish
from orchestration.publishing.source import Count, Source
from orchestration.publishing.tables import rows_of
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.init import initialize

NAME = "publish"
# Databases: one that is prepared for serving, one with the first publication, one to publish to, that of the floor.
PREPARED, PUBLISHED, SERVING, FLOOR = (f"{NAME}_{name}" for name in ("prepared", "published", "serving", "floor"))
COPY = sql.SQL("copy {} ({}) from stdin (format csv, encoding 'utf8')")


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield the three publications; each has the same rows as its floor."""
    case = Case(bench)
    copy_file(bench, NAME)
    case.prepare()
    compare = partial(Comparison, NAME, size=bench.size, is_same=True)
    first = compare("first publication", floor_name="COPY, then indexes")
    rows = case.written(case.definitions)
    yield in_turn(
        first, bench.size.repeats, partial(case.published, PREPARED), partial(case.copied, rows, is_indexed=False)
    )
    bench.copy(SERVING, PUBLISHED)
    before = case.counts()
    day = FIRST_DAY + timedelta(days=1)
    bench.touch(SOURCE, day)
    case.load(day)
    after = case.counts()
    rows = case.written(one for one in case.definitions if before[one.name] != after[one.name])
    daily = compare(f"daily publication, {bench.size.changed:,} changed tasks", floor_name="COPY of what changed")
    unchanged = compare("publication without changes", floor_name="counting the rows")
    for _ in range(bench.size.repeats):
        once(daily, partial(case.published, PUBLISHED), partial(case.copied, rows, is_indexed=True))
        once(unchanged, case.unchanged, case.counted)
    yield daily
    yield unchanged
    for database in (SOURCE, PREPARED, PUBLISHED, SERVING, FLOOR):
        bench.drop(database)


@dataclass(frozen=True)
class Written:
    """The rows of a relation in a file of CSV."""

    definition: Definition
    path: Path
    rows: int


@dataclass
class Case:
    """The file, and the databases to which it is published."""

    bench: Bench

    @cached_property
    def settings(self) -> Settings:
        """The settings of the file, with the serving database."""
        settings = of_duckdb(self.bench, NAME)
        insights = settings.insights
        warehouse = insights.warehouse.model_copy(update={"serving_url": self.bench.etl_url(SERVING)})
        return replace(settings, insights=insights.model_copy(update={"warehouse": warehouse}))

    @cached_property
    def definitions(self) -> list[Definition]:
        """What is published; dbt has parsed the project for this connection then, so no publication does."""
        self.bench.copy(PREPARED, SERVING)
        names = declared_relations(read_manifest(self.settings.of_postgres()))
        return read_definitions(self.settings, self.bench.etl_url(SERVING), names)

    def load(self, day: date) -> None:
        """Take a snapshot and load everything from it."""
        take(self.bench, SOURCE, NAME)
        variables = dbt.as_of_variable(day)
        succeeded(dbt.build(self.settings, dbt.NO_TESTS, url=None, variables=variables, on_line=ignored))

    def prepare(self) -> None:
        """Make a serving database, and one for the floor."""
        for name in (PREPARED, FLOOR):
            self.bench.server.create_database(name)
            with connect(self.bench.admin_url(name), autocommit=True) as connection:
                initialize(connection, self.settings)

    def counts(self) -> dict[str, Count]:
        """Return rows and checksum of each published relation of the file."""
        with Source.open(self.settings) as source:
            return {one.name: source.count(one) for one in self.definitions}

    def written(self, definitions: Iterable[Definition]) -> list[Written]:
        """Write relations of the file as CSV, as a publication sends them."""
        folder = self.bench.folder / NAME / "csv"
        folder.mkdir(exist_ok=True)
        found = []
        with Source.open(self.settings) as source:
            for one in definitions:
                path, rows = folder / one.name, 0
                with path.open("wb") as file:
                    for portion, number in source.rows(one):
                        file.write(portion)
                        rows += number
                found.append(Written(one, path, rows))
        return found

    def published(self, former: str) -> Measurement:
        """Publish to a copy of a database; `rows` are those that were copied."""
        self.bench.copy(former, SERVING)
        return self._published(lambda report: sum(one.copied for one in report.relations))

    def unchanged(self) -> Measurement:
        """Publish what is published already; `rows` are those of all relations."""
        return self._published(lambda report: sum(one.rows for one in report.relations))

    def _published(self, rows: Callable[[PublishReport], int]) -> Measurement:
        with self.bench.measured(SERVING) as found:
            report = publish(self.settings)
        found.rows = rows(report)
        found.figures = {"rows written": sum(one.written for one in report.relations)}
        return found

    def copied(self, written: list[Written], *, is_indexed: bool) -> Measurement:
        """Copy files to new tables, whose indexes were made before or are made after the rows."""
        with self._floor() as db:
            for definition in (one.definition for one in written):
                db.execute(sql.SQL("drop table if exists {}").format(definition.relation))
                if is_indexed:
                    _make(db, definition.create, *definition.indexes)
        with self.bench.measured(FLOOR) as found, self._floor() as db:
            for one in written:
                if not is_indexed:
                    _make(db, one.definition.create)
                _copy(db, one)
                if not is_indexed:
                    _make(db, *one.definition.indexes)
        found.rows = sum(one.rows for one in written)
        return found

    def counted(self) -> Measurement:
        """Count the rows of the published tables."""
        with (
            self.bench.measured(SERVING) as found,
            Database.open(self.settings, self.bench.etl_url(SERVING)) as db,
        ):
            found.rows = sum(rows_of(db, definition) for definition in self.definitions)
        return found

    @contextmanager
    def _floor(self) -> Iterator[Database]:
        with Database.open(self.settings, self.bench.etl_url(FLOOR)) as db, db.connection.transaction():
            yield db


def _make(db: Database, *statements: str) -> None:
    for statement in statements:
        db.execute(statement)


def _copy(db: Database, written: Written) -> None:
    one = written.definition
    with db.connection.cursor() as cursor, cursor.copy(COPY.format(one.relation, one.column_names)) as copy:
        copy.write(written.path.read_bytes())
