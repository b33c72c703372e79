"""Which snapshots a file of DuckDB was loaded from: a later load must continue them (decision D249)."""

from __future__ import annotations

from getpass import getuser
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.errors import ConflictError
from orchestration.source_snapshot.description import Description
from orchestration.warehouse.duckdb.file import columns_of, in_memory, quoted, text
from orchestration.warehouse.names import Names
from orchestration.warehouse.releases import TABLE, refuse_going_back, this_release

if TYPE_CHECKING:
    import duckdb

ANOTHER = "Delete the file, or name another one in insights.warehouse.path, and run: insights init"


def create_objects(connection: duckdb.DuckDBPyConnection, names: Names, path: Path) -> None:
    """Create the bookkeeping, and record which release did.

    Raises ConflictError if the file has the bookkeeping of another release, or a newer one has prepared it (D260).
    """
    newest = _newest_release(connection, names)
    if newest:
        refuse_going_back(newest[1])
    script = files(__package__).joinpath("objects.sql").read_text(encoding="utf-8")
    ops = quoted(names.ops_schema)
    statements = script.format(ops=ops, loads=text(f"{ops}.load_log_ids"), purges=text(f"{ops}.purge_log_ids"))
    connection.execute(statements)
    with in_memory() as fresh:
        fresh.execute(f"create schema {ops}; {statements}")
        wanted = columns_of(fresh, names.ops_schema)
    found = columns_of(connection, names.ops_schema)
    if other := sorted(table for table, columns in wanted.items() if found[table] != columns):
        raise ConflictError(
            f"The warehouse {path} is of another release: {names.ops_schema}.{other[0]} has other columns. {ANOTHER}"
        )
    made = (this_release(), sha256(script.encode()).hexdigest())
    if newest is None or newest[1:] != made:
        connection.execute(
            f"insert into {quoted(names.ops_schema, TABLE)} values (?, ?, ?, now(), ?)",  # noqa: S608
            [newest[0] + 1 if newest else 1, *made, getuser()],
        )


def _newest_release(connection: duckdb.DuckDBPyConnection, names: Names) -> tuple[int, str, str] | None:
    """Return number, version and scripts of the release that prepared the file last."""
    if TABLE not in columns_of(connection, names.ops_schema):
        return None
    return connection.execute(
        f"select release_number, version, scripts_sha256 from {quoted(names.ops_schema, TABLE)}"  # noqa: S608
        " order by release_number desc limit 1"
    ).fetchone()


def continue_with(
    connection: duckdb.DuckDBPyConnection, names: Names, path: Path, folder: Path, snapshot: Description
) -> bool:
    """Record that the file reads a snapshot; returns whether it has read another one, or another folder, until now.

    The snapshot of a file that was never loaded may be replaced by any other. Raises ConflictError if loads would
    otherwise go back in time, or mix the rows of different organizations.
    """
    table, loads = (quoted(names.ops_schema, name) for name in ("snapshots", "load_log"))
    place = str(folder.absolute())
    newest = connection.execute(
        f"""
        select
            moment = cast($moment as timestamptz) and folder = $folder as is_known,
            moment > cast($moment as timestamptz) as is_newer,
            strftime(make_timestamp(epoch_us(moment)), '%Y-%m-%d %H:%M:%S UTC') as moment,
            cast(organization_id as varchar) as organization_id,
            coalesce(organization, 'all organizations') as whose
        from {table}
        order by snapshots.moment desc, prepared_at desc
        limit 1
        """,  # noqa: S608
        {"moment": snapshot.moment, "folder": place},
    ).fetchone()
    is_loaded = connection.execute(f"select 1 from {loads} limit 1").fetchone() is not None  # noqa: S608
    if is_loaded:
        _check(newest, path, folder, snapshot)
    if newest and newest[0] and newest[3] == snapshot.organization_id:
        return False
    if not is_loaded:
        connection.execute(f"delete from {table}")  # noqa: S608
    connection.execute(
        f"insert into {table} (moment, organization_id, organization, source, folder, release)"  # noqa: S608
        " values (?, ?, ?, ?, ?, ?)",
        [
            *(snapshot.moment, snapshot.organization_id, snapshot.organization, snapshot.source),
            *(place, snapshot.release),
        ],
    )
    return True


def _check(newest: tuple[Any, ...] | None, path: Path, folder: Path, snapshot: Description) -> None:
    if newest is None:
        raise ConflictError(
            f"The warehouse {path} is of another release, which did not record its snapshots. {ANOTHER}"
        )
    _, is_newer, moment, organization_id, whose = newest
    if organization_id != snapshot.organization_id:
        raise ConflictError(
            f"The warehouse {path} was loaded from a snapshot of {whose}, and {folder} is one of {snapshot.whose}: a"
            f" load would mix their rows. {ANOTHER}"
        )
    if is_newer:
        raise ConflictError(
            f"The warehouse {path} has read a snapshot of {moment}, and that in {folder} is older ({snapshot.moment}):"
            f" a load would undo some of the changes since, and keep others. Use a newer snapshot. {ANOTHER}"
        )
