"""Prepares a file of DuckDB for dbt: schemas, bookkeeping, profiles, and a view on each table of a snapshot."""

from __future__ import annotations

import json
import secrets
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError
from orchestration.source_snapshot.description import REMEDY, Description, read_description, table_file
from orchestration.warehouse.contract import ContractTable, contract_tables
from orchestration.warehouse.duckdb.file import opened, quoted, text
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
KEY_BYTES = 32


def prepare(path: Path, folder: Path, settings: Settings) -> Description:
    """Make a file of DuckDB ready for dbt, with the snapshot in `folder`; it is idempotent. Returns the snapshot.

    The views name the files by their absolute paths, so that a folder that was moved needs this once more. Raises like
    `read_description` and `opened`, and MisconfiguredError if the snapshot lacks tables of this release.
    """
    snapshot, names = read_description(folder), Names.of(settings)
    tables = contract_tables()
    lacking = [table.name for table in tables if table.name not in snapshot.tables]
    if lacking:
        raise MisconfiguredError(f"The snapshot {folder} lacks operational tables: {', '.join(lacking)}. {REMEDY}")
    with opened(path) as connection:
        for schema in (*names.schemas, names.source_schema):
            connection.execute(f"create schema if not exists {quoted(schema)}")
        _create_objects(connection, names)
        for table in tables:
            connection.execute(_view(table, folder, names))
        synchronize_profiles(connection, settings)
    return snapshot


def _create_objects(connection: duckdb.DuckDBPyConnection, names: Names) -> None:
    script = files(__package__).joinpath("objects.sql").read_text(encoding="utf-8")
    ops = quoted(names.ops_schema)
    connection.execute(script.format(ops=ops, ids=text(f"{ops}.load_log_ids")))
    connection.execute(
        f"insert into {ops}.secret_keys (purpose, secret) values ('review_cases', ?) on conflict do nothing",  # noqa: S608
        [secrets.token_bytes(KEY_BYTES)],
    )


def _view(table: ContractTable, folder: Path, names: Names) -> str:
    """Return the statement that makes the view of an operational table, with the columns and types of the contract."""
    columns = ", ".join(
        f"cast({quoted(name)} as {TYPES[column.data_type]}) as {quoted(name)}" for name, column in table.columns.items()
    )
    file = text(str((folder / table_file(table.name)).absolute()))
    view = quoted(names.source_schema, table.name)
    return f"create or replace view {view} as select {columns} from read_parquet({file})"  # noqa: S608


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
