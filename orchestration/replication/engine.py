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
from functools import partial
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
from dlt.common.libs.pyarrow import py_arrow_to_table_schema_columns  # noqa: E402
from dlt.destinations.exceptions import DatabaseUndefinedRelation  # noqa: E402

from orchestration.errors import ConflictError  # noqa: E402
from orchestration.replication.plan import TablePlan  # noqa: E402
from orchestration.replication.target import STAGING, Target  # noqa: E402
from orchestration.source_snapshot.parquet_files import TYPES, table_schema  # noqa: E402
from orchestration.warehouse.contract import ContractTable  # noqa: E402

PIPELINE = "insights_replicate"
SOURCE = "orgo"
# The rows that each table had when its count had passed, and `through` of that replication.
COUNTED = "_insights_counted"
_SETTINGS: dict[str, Any] = {"replace_strategy": "insert-from-staging", "staging_dataset_name_layout": f"%s{STAGING}"}
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

    `place` is that of `place_of`; `folder` takes what is to be loaded; `connection` is the open file of DuckDB, None
    for other engines. Methods raise dlt's exceptions.
    """

    target: Target
    place: str
    folder: Path
    connection: Any = None
    _pipeline: Any = field(init=False)

    def __post_init__(self) -> None:
        """Connect to the engine, and get the state that the last whole load has left there."""
        if self.target.engine == "duckdb":
            engine = dlt.destinations.duckdb(self.connection, **_SETTINGS)
        else:
            engine = getattr(dlt.destinations, self.target.engine)(**_SETTINGS)
        self._pipeline = dlt.pipeline(
            PIPELINE, pipelines_dir=str(self.folder), destination=engine, dataset_name=self.target.schema
        )
        self._pipeline.sync_destination()

    @property
    def state(self) -> Mapping[str, Any]:
        """What was stored with the last whole load: the source, and `resources` by table; empty before the first."""
        found: Mapping[str, Any] = self._pipeline.state.get("sources", {}).get(SOURCE, {})
        return found

    def check_owner(self, tables: Iterable[str]) -> None:
        """Raise ConflictError if another program has made a table with one of these names, or the staging schema."""
        with self._client as client:
            if client.is_storage_initialized() and client.get_stored_schema(SOURCE) is None:
                found = [name for name, columns in client.get_storage_tables(list(tables)) if columns]
                if found:
                    raise ConflictError(
                        f"{self.place} has a table {found[0]} that insights replicate has not made. Name another schema"
                        " with --schema, or remove the table."
                    )
            with client.with_staging_dataset():
                if client.is_storage_initialized() and client.get_stored_schema(SOURCE) is None:
                    raise ConflictError(
                        f"Rows are staged in the schema {self.target.schema}{STAGING}, which exists in {self.place} and"
                        " was not made by insights replicate. Name another schema with --schema, or remove that one."
                    )

    def outdated(self, tables: Iterable[ContractTable]) -> set[str]:
        """Return the tables that must be made again: somebody has dropped them, or a column has another type now."""
        made: Mapping[str, Any] = {}
        with suppress(FileNotFoundError):  # before the first load
            made = self._pipeline.schemas[SOURCE].tables if SOURCE in self._pipeline.schemas else {}
        known = [table for table in tables if table.name in made]
        if not known:
            return set()
        with self._client as client:
            missing = {name for name, columns in client.get_storage_tables([t.name for t in known]) if not columns}
        return missing | {table.name for table in known if _has_other_types(table, made[table.name]["columns"])}

    def trusted(self, rows: Mapping[str, int]) -> dict[str, Mapping[str, Any]]:
        """Return the state of the tables whose count has passed, and which still have that number of rows.

        `rows` are those of the copy now, by table.
        """
        query = "select table_name, through, row_count from {}"
        with self._pipeline.sql_client() as client, suppress(DatabaseUndefinedRelation):
            found = client.execute_sql(query.format(client.make_qualified_table_name(COUNTED)))
            counted = {table: (through, count) for table, through, count in found}
            states: Mapping[str, Any] = self.state.get("resources", {})
            return {t: s for t, s in states.items() if counted.get(t) == (s["through"], rows.get(t))}
        return {}

    def confirm(self, through: str, rows: Mapping[str, int]) -> None:
        """Store the rows of the tables whose count has passed in the replication of that moment, in place of others."""
        with self._pipeline.sql_client() as client:
            name = client.make_qualified_table_name(COUNTED)
            columns = "table_name varchar(63), through varchar(63), row_count bigint"
            client.execute_sql(f"create table if not exists {name} ({columns})")
            with client.begin_transaction():
                client.execute_sql(f"delete from {name}")  # noqa: S608 - quoted by dlt
                for table, count in rows.items():
                    values = (table, through, count)
                    client.execute_sql(f"insert into {name} values (%s, %s, %s)", *values)  # noqa: S608 - as above

    def counts(self, tables: Iterable[str], *, are_staged: bool = False) -> dict[str, int]:
        """Return the rows of tables, 0 for one that does not exist; with `are_staged`, those of the last load."""
        with self._pipeline.sql_client() as client:
            if not are_staged:
                return {table: _count(client, table) for table in tables}
            with client.with_staging_dataset():
                return {table: _count(client, table) for table in tables}

    def write(self, plans: Iterable[TablePlan], read: Read, through: str, source: Mapping[str, Any]) -> None:
        """Write the rows of all tables to files for a load, with the state that it will leave.

        That is `source`, what identifies the database, and for each table `through` and the rules of its plan. A plan
        with `is_new` drops its table in the engine and makes it again, in a load before that of the others.
        """
        plans = list(plans)
        for is_new in (True, False):
            resources = [self._resource(plan, read, through, source) for plan in plans if plan.is_new == is_new]
            if resources:
                found = dlt.source(partial(list, resources), name=SOURCE)()
                refresh = "drop_resources" if is_new else None
                self._pipeline.extract(found, loader_file_format="parquet", refresh=refresh)

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

    def _resource(self, plan: TablePlan, read: Read, through: str, source: Mapping[str, Any]) -> Any:
        table = plan.query.table

        def rows() -> Iterator[pa.Table]:
            dlt.current.source_state().update(source)
            dlt.current.resource_state().update(through=through, rules=plan.rules)
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


def place_of(target: Target) -> str:
    """Return where a copy is, for the lock, the audit and messages: host, database and schema, without the user.

    Raises dlt's exceptions if it lacks an address or credentials.
    """
    if target.path:
        return f"duckdb://{target.path.resolve()}, schema {target.schema}"
    engine = getattr(dlt.destinations, target.engine)()
    found = engine.configuration(engine.spec()._bind_dataset_name(target.schema)).credentials
    return f"{target.engine}://{found.host.lower()}/{(found.database or '').lower()}, schema {target.schema}"


def _has_other_types(table: ContractTable, made: Mapping[str, Any]) -> bool:
    """Return whether a column that the engine has is of another type in the contract now."""
    wanted = py_arrow_to_table_schema_columns(table_schema(table, REPLICATED))
    for name, column in table.columns.items():
        hints = {**wanted[name], **_HINTS.get(column.data_type, {})}
        if name in made and made[name]["data_type"] != hints["data_type"]:
            return True
    return False


def _count(client: Any, table: str) -> int:
    query = f"select count(*) from {client.make_qualified_table_name(table)}"  # noqa: S608 - quoted by dlt
    with suppress(DatabaseUndefinedRelation):
        return int(client.execute_sql(query)[0][0])
    return 0
