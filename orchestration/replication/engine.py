"""dlt as it is used here: one pipeline of the operational tables to another engine, with the state of each table there.

What dlt has written for a load is never continued by another process: a file of rows that was loaded twice would not
be noticed. A process that is killed leaves the state of the last whole load, because dlt reads only that of loads which
it has marked as complete.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Read when dlt is imported. It sends no statistics of its use, and prints nothing itself.
SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "EXTRACT__NEXT_ITEM_MODE": "fifo",  # one connection reads one table after the other
    "LOAD__TRUNCATE_STAGING_DATASET": "false",  # rows are counted there
    "LOAD__RAISE_ON_FAILED_JOBS": "true",
}
os.environ.update(SETTINGS)

import dlt  # noqa: E402 - see SETTINGS
import pyarrow as pa  # noqa: E402
from dlt.destinations.exceptions import DatabaseUndefinedRelation  # noqa: E402

from orchestration.errors import ConflictError  # noqa: E402
from orchestration.replication.plan import TablePlan  # noqa: E402
from orchestration.replication.target import Target  # noqa: E402
from orchestration.source_snapshot.parquet_files import TYPES, table_schema  # noqa: E402

PIPELINE = "insights_replicate"
SOURCE = "orgo"
# An array is the text of a JSON array, because dlt knows no arrays; the engine has its own type for JSON.
REPLICATED = TYPES | {"text[]": pa.string()}
_HINTS: dict[str, Any] = {"text[]": {"data_type": "json"}}
MERGED = {"disposition": "merge", "skip_unchanged_rows": True}

Read = Callable[[TablePlan], Iterable[pa.Table]]


@dataclass(frozen=True)
class Loaded:
    """What was loaded: bytes of the files, and the SHA-256 of their SHA-256 in the order of their names."""

    bytes: int
    sha256: str


@dataclass
class Copy:
    """The copy of the operational tables in an engine.

    `folder` takes what is to be loaded; `connection` is the open file of DuckDB, None for other engines. Methods raise
    dlt's exceptions.
    """

    target: Target
    folder: Path
    connection: Any = None
    _pipeline: Any = field(init=False)

    def __post_init__(self) -> None:
        """Connect to the engine, and get the state that the last whole load has left there."""
        if self.target.engine == "duckdb":
            engine = dlt.destinations.duckdb(self.connection, replace_strategy="insert-from-staging")
        else:
            engine = getattr(dlt.destinations, self.target.engine)(replace_strategy="insert-from-staging")
        self._pipeline = dlt.pipeline(
            PIPELINE, pipelines_dir=str(self.folder), destination=engine, dataset_name=self.target.schema
        )
        self._pipeline.sync_destination()

    @property
    def place(self) -> str:
        """Where the copy is, for the audit and messages: address and schema, without credentials."""
        return f"{self.target if self.target.path else self._client.config}, schema {self.target.schema}"

    @property
    def state(self) -> Mapping[str, Any]:
        """What was stored with the last whole load: `database`, and `resources` by table; empty before the first."""
        found: Mapping[str, Any] = self._pipeline.state.get("sources", {}).get(SOURCE, {})
        return found

    def check_owner(self, tables: Iterable[str]) -> None:
        """Raise ConflictError if a table with one of these names exists that another program has made."""
        with self._client as client:
            if client.is_storage_initialized() and client.get_stored_schema(SOURCE) is None:
                found = [name for name, columns in client.get_storage_tables(list(tables)) if columns]
                if found:
                    raise ConflictError(
                        f"{self.place} has a table {found[0]} that insights replicate has not made. Name another schema"
                        " with --schema, or remove the table."
                    )

    def counts(self, tables: Iterable[str], *, are_staged: bool = False) -> dict[str, int]:
        """Return the rows of tables, 0 for one that does not exist; with `are_staged`, those of the last load."""
        with self._pipeline.sql_client() as client:
            if not are_staged:
                return {table: _count(client, table) for table in tables}
            with client.with_staging_dataset():
                return {table: _count(client, table) for table in tables}

    def write(
        self, plans: Iterable[TablePlan], read: Read, stored: Mapping[str, Mapping[str, str]], database: str
    ) -> None:
        """Write the rows of all tables to files for a load, with the state of each table that it will leave."""
        resources = [self._resource(plan, read, stored[plan.name], database) for plan in plans]
        source = dlt.source(lambda: resources, name=SOURCE)
        self._pipeline.extract(source(), loader_file_format="parquet")

    def load(self) -> Loaded:
        """Load what was written, table by table in one transaction each; returns what the files had."""
        self._pipeline.normalize()
        done = self._pipeline.load()
        jobs = [job for package in done.load_packages for job in package.jobs["completed_jobs"]]
        files = sorted(Path(job.file_path) for job in jobs if job.job_file_info.file_format == "parquet")
        digest = hashlib.sha256()
        for file in files:
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
        return Loaded(sum(file.stat().st_size for file in files), digest.hexdigest())

    def forget_staged(self) -> None:
        """Remove the rows that were loaded before they were merged, with their schema."""
        with self._pipeline.sql_client() as client, client.with_staging_dataset():
            if client.has_dataset():
                client.drop_dataset()

    @property
    def _client(self) -> Any:
        return self._pipeline.destination_client()

    def _resource(self, plan: TablePlan, read: Read, stored: Mapping[str, str], database: str) -> Any:
        table = plan.query.table

        def rows() -> Iterator[pa.Table]:
            dlt.current.source_state()["database"] = database
            dlt.current.resource_state().update(stored)
            is_empty = True
            for batch in read(plan):
                is_empty = False
                yield batch
            if is_empty:  # makes the table, and lets a table that is empty now become so
                yield table_schema(table, REPLICATED).empty_table()

        hints: dict[str, Any] = {"write_disposition": "replace"}
        if plan.key:
            strategy = "cdc" if plan.since is None else "upsert"  # cdc also deletes the rows that were not read
            hints = {"primary_key": plan.key, "write_disposition": {**MERGED, "strategy": strategy}}
        columns = {name: _HINTS[c.data_type] for name, c in table.columns.items() if c.data_type in _HINTS}
        return dlt.resource(rows, name=table.name, columns=columns, **hints)


def _count(client: Any, table: str) -> int:
    query = f"select count(*) from {client.make_qualified_table_name(table)}"  # noqa: S608 - quoted by dlt
    with suppress(DatabaseUndefinedRelation):
        return int(client.execute_sql(query)[0][0])
    return 0
