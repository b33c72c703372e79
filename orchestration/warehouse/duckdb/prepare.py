"""Prepares a file of DuckDB for dbt: schemas, bookkeeping, profiles, and a view on each table of a snapshot."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError
from orchestration.source_snapshot.description import (
    REMEDY,
    Description,
    check_digests,
    read_description,
    table_file,
)
from orchestration.source_snapshot.folder import unchanged
from orchestration.warehouse.contract import ContractTable, contract_tables
from orchestration.warehouse.duckdb.file import opened, quoted, text
from orchestration.warehouse.duckdb.loaded import continue_with, create_objects
from orchestration.warehouse.names import Names

if TYPE_CHECKING:
    import duckdb

# The types of the contract as DuckDB has them.
TYPES = {
    "boolean": "boolean",
    "integer": "integer",
    "interval": "interval",
    "jsonb": "json",
    "text": "varchar",
    "text[]": "varchar[]",
    "timestamp with time zone": "timestamptz",
    "uuid": "uuid",
}
# The types of their columns in a file of a snapshot, where those are not text.
WRITTEN = {
    "boolean": "BOOLEAN",
    "integer": "INTEGER",
    "text[]": "VARCHAR[]",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
}
KEY_BYTES = 32


def prepare(path: Path, folder: Path, settings: Settings) -> Description:
    """Make a file of DuckDB ready for dbt, with the snapshot in `folder`; it is idempotent. Returns the snapshot.

    The views name the files by their absolute paths, so that a folder that was moved needs this once more. The SHA-256
    of the files are checked for a snapshot that the file has not read yet. Raises like `unchanged`,
    `read_description`, `opened`, `create_objects` and `continue_with`, and MisconfiguredError if the snapshot lacks
    tables or columns of this release, or is damaged.
    """
    names, tables = Names.of(settings), contract_tables()
    with unchanged(folder):
        snapshot = read_description(folder)
        lacking = [table.name for table in tables if table.name not in snapshot.tables]
        if lacking:
            raise MisconfiguredError(f"The snapshot {folder} lacks operational tables: {', '.join(lacking)}. {REMEDY}")
        with opened(path) as connection:
            for schema in (*names.schemas, names.source_schema):
                connection.execute(f"create schema if not exists {quoted(schema)}")
            create_objects(connection, names, path)
            _create_key(connection, names)
            if continue_with(connection, names, path, folder, snapshot):
                check_digests(folder, snapshot)
            for table in tables:
                _check_columns(connection, table, folder)
                connection.execute(_view(table, folder, names))
                _check_rows(connection, table, snapshot, names)
            synchronize_profiles(connection, settings)
    return snapshot


def _create_key(connection: duckdb.DuckDBPyConnection, names: Names) -> None:
    connection.execute(
        f"insert into {quoted(names.ops_schema, 'secret_keys')} (purpose, secret) values ('review_cases', ?)"  # noqa: S608
        " on conflict do nothing",
        [secrets.token_bytes(KEY_BYTES)],
    )


def _rows_of(file: Path) -> str:
    """Return a call that reads one file: its path is no pattern, and its folders are no columns."""
    escaped = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(file.absolute()))
    return f"read_parquet({text(escaped)}, hive_partitioning = false)"


def _check_columns(connection: duckdb.DuckDBPyConnection, table: ContractTable, folder: Path) -> None:
    file = folder / table_file(table.name)
    described = connection.execute(f"describe select * from {_rows_of(file)}").fetchall()  # noqa: S608
    found = {name: data_type for name, data_type, *_ in described}
    for name, column in table.columns.items():
        wanted = WRITTEN.get(column.data_type, "VARCHAR")
        if name not in found:
            raise MisconfiguredError(f"{file} has no column {table.name}.{name}, which this release reads. {REMEDY}")
        if found[name] != wanted:
            says = f"{file} has {table.name}.{name} as {found[name]}, and this release reads {wanted}"
            raise MisconfiguredError(f"{says}. {REMEDY}")


def _check_rows(
    connection: duckdb.DuckDBPyConnection, table: ContractTable, snapshot: Description, names: Names
) -> None:
    view, described = quoted(names.source_schema, table.name), snapshot.tables[table.name].rows
    found = connection.execute(f"select count(*) from {view}").fetchone()  # noqa: S608
    if found != (described,):
        says = f"The snapshot has {found and found[0]:,} rows of {table.name}, and snapshot.json says {described:,}"
        raise MisconfiguredError(f"{says}. {REMEDY}")


def _view(table: ContractTable, folder: Path, names: Names) -> str:
    """Return the statement that makes the view of an operational table, with the columns and types of the contract."""
    columns = ", ".join(
        f"cast({quoted(name)} as {TYPES[column.data_type]}) as {quoted(name)}" for name, column in table.columns.items()
    )
    view, rows = quoted(names.source_schema, table.name), _rows_of(folder / table_file(table.name))
    return f"create or replace view {view} as select {columns} from {rows}"  # noqa: S608


def synchronize_profiles(connection: duckdb.DuckDBPyConnection, settings: Settings) -> int:
    """Update the table of profiles to config/organization_profiles.yaml; returns the number of changed rows."""
    table, wanted = quoted(Names.of(settings).ops_schema, "profiles"), settings.profiles
    stored = dict(connection.execute(f"select profile_code, cast(document as varchar) from {table}").fetchall())  # noqa: S608
    gone = stored.keys() - wanted.keys()
    for code in gone:
        connection.execute(f"delete from {table} where profile_code = ?", [code])  # noqa: S608
    changed = len(gone)
    upsert = f"""
        insert into {table} (profile_code, default_visibility, reactivity_seconds, max_escalation_seconds, document)
        values (?, ?, ?, ?, ?)
        on conflict (profile_code) do update set
            default_visibility = excluded.default_visibility,
            reactivity_seconds = excluded.reactivity_seconds,
            max_escalation_seconds = excluded.max_escalation_seconds,
            document = excluded.document,
            updated_at = now()
    """  # noqa: S608 - the name is quoted
    for code, profile in wanted.items():
        document = json.dumps(profile.model_dump(mode="json"))
        if document != stored.get(code):
            visibility = profile.default_task_metadata.visibility
            limits = [profile.reactivity_seconds, profile.max_escalation_seconds]
            connection.execute(upsert, [code, visibility, *limits, document])
            changed += 1
    return changed
