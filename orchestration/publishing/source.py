"""The file of DuckDB as `insights publish` reads it: at one moment, since a build cannot write it meanwhile."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.csv

from orchestration.config.files import Settings
from orchestration.errors import NotBuiltError
from orchestration.publishing.definitions import Definition
from orchestration.publishing.values import MOMENT, counted, selected
from orchestration.warehouse.duckdb.file import columns_of, opened, quoted
from orchestration.warehouse.names import Names

if TYPE_CHECKING:
    import duckdb

# Rows that are in memory at a time.
BATCH_ROWS = 20_000
_CSV = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
# The columns of the log of loads that both databases have, but for its number, which each gives itself.
LOADS = (
    *("relation_name", "as_of", "horizon", "loaded_from", "loaded_through", "cutoff", "invocation_id", "environment"),
    "logged_at",
)
_MOMENTS = ("loaded_from", "loaded_through", "logged_at")


@dataclass(frozen=True)
class Origin:
    """Whose rows a file has (None for all organizations), and up to which moment they are known.

    `loaded_through` is a day's beginning; `moment` is when the newest snapshot was taken; both are texts in UTC.
    `environment` is ENVIRONMENT of the newest load, `source` identifies the database that the snapshot was taken of,
    and `folder` is where it was when the file was prepared last.
    """

    organization_id: str | None
    organization: str | None
    loaded_through: str
    moment: str
    environment: str
    source: str | None
    folder: Path

    @property
    def whose(self) -> str:
        """Whose rows these are, for messages."""
        return self.organization or self.organization_id or "all organizations"


@dataclass(frozen=True, order=True)
class Loaded:
    """What a load of a relation read: its day, and the moment of its snapshot in UTC, both as texts."""

    as_of: str
    snapshot: str

    def __str__(self) -> str:
        """Return a phrase for messages."""
        return f"as of {self.as_of} from the snapshot of {self.snapshot}"


@dataclass(frozen=True)
class Count:
    """The number of the rows of a relation, and their checksum."""

    rows: int
    checksum: str


class Source:
    """An open file of DuckDB with its marts."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, names: Names, path: Path) -> None:
        """Read from an open file."""
        self._file, self._names, self._path = connection, names, path

    @classmethod
    @contextmanager
    def open(cls, settings: Settings) -> Iterator[Source]:
        """Open the file of the settings for a block; raises like `opened`."""
        with opened(settings.duckdb_path, read_only=True) as connection:
            connection.execute("set enable_progress_bar = false")
            yield cls(connection, Names.of(settings), settings.duckdb_path)

    def origin(self) -> Origin:
        """Return what the file was loaded from; raises NotBuiltError if it was never loaded."""
        ops = quoted(self._names.ops_schema)
        through = self._one(f"select {MOMENT.format('max(loaded_through)')} from {ops}.load_log")[0]  # noqa: S608
        query = (
            f"select cast(organization_id as varchar), organization, {MOMENT.format('moment')}, source, folder"  # noqa: S608
            f" from {ops}.snapshots order by snapshots.moment desc, prepared_at desc limit 1"
        )
        snapshot = self._file.execute(query).fetchone()
        if through is None or snapshot is None:
            raise NotBuiltError(f"{self._path} was never loaded. Run: insights build")
        organization_id, organization, moment, database, folder = snapshot
        (environment,) = self._one(f"select environment from {ops}.load_log order by load_log_id desc limit 1")  # noqa: S608
        return Origin(organization_id, organization, through, moment, environment, database, Path(folder))

    def check(self, definitions: list[Definition]) -> None:
        """Raise NotBuiltError if the file lacks a relation, or a column of one."""
        for definition in definitions:
            found = columns_of(self._file, definition.schema).get(definition.identifier)
            what = f"{definition.schema}.{definition.identifier}"
            if found is None:
                raise NotBuiltError(f"{self._path} has no {what}. Run: insights build, with all models")
            if lacking := [name for name, _ in definition.columns if name not in found]:
                raise NotBuiltError(
                    f"{self._path} was built by another release: {what} has no column {lacking[0]}. Run: insights build"
                )

    def loads(self) -> list[tuple[Any, ...]]:
        """Return the log of loads, the oldest first: the values of LOADS, moments as texts in UTC."""
        columns = [MOMENT.format(name) if name in _MOMENTS else f"cast({name} as varchar)" for name in LOADS]
        table = quoted(self._names.ops_schema, "load_log")
        return self._file.execute(f"select {', '.join(columns)} from {table} order by load_log_id").fetchall()  # noqa: S608

    def newest_loads(self, names: Collection[str]) -> dict[str, Loaded]:
        """Return what the newest load of each relation read; those that no load writes, such as views, are left out.

        A load reads the snapshot that the file was prepared with last before it.
        """
        ops = quoted(self._names.ops_schema)
        query = (
            f"select log.relation_name, cast(log.as_of as varchar), {MOMENT.format('read.moment')}"  # noqa: S608
            f" from {ops}.load_log as log"
            f" asof join {ops}.snapshots as read on log.logged_at >= read.prepared_at"
            " where list_contains(?, log.relation_name)"
            " qualify row_number() over (partition by log.relation_name order by log.load_log_id desc) = 1"
        )
        return {name: Loaded(*read) for name, *read in self._file.execute(query, [list(names)]).fetchall()}

    def count(self, definition: Definition) -> Count:
        """Return the number of rows of a relation and their checksum."""
        return Count(*self._one(counted(definition.columns, quoted(definition.schema, definition.identifier))))

    def values(self, definition: Definition, column: str) -> set[str | None]:
        """Return the different values of a column, as texts."""
        table = quoted(definition.schema, definition.identifier)
        query = f"select distinct cast({quoted(column)} as varchar) from {table}"  # noqa: S608 - the names are quoted
        return {value for (value,) in self._file.execute(query).fetchall()}

    def rows(self, definition: Definition) -> Iterator[tuple[bytes, int]]:
        """Yield the rows of a relation as CSV, in portions, with the number of rows of each."""
        query = selected(definition.columns, quoted(definition.schema, definition.identifier))
        for batch in self._file.execute(query).to_arrow_reader(BATCH_ROWS):
            text = io.BytesIO()
            pyarrow.csv.write_csv(batch, text, _CSV)
            yield text.getvalue(), batch.num_rows

    def _one(self, query: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = self._file.execute(query).fetchone() or (None, None)
        return found
