"""Opens the file of DuckDB, whose lock is the lock of the one writer, and translates DuckDB's errors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from orchestration.errors import BusyError, FailedError, InsightsError, MisconfiguredError
from orchestration.warehouse.translation import first_line

if TYPE_CHECKING:
    import duckdb

OWNER_ONLY = 0o077  # the file holds personal data: no other user may read it
_HOLDER = re.compile(r"lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)(?: by user (?P<user>[^\s.]+))?")
NOT_INSTALLED = (
    "insights.warehouse.type duckdb needs {name}, which is not installed: pip install -r requirements/duckdb.txt (the"
    " dependency group duckdb)."
)


class Name(NamedTuple):
    """How messages name a file, and what names it."""

    what: str
    named_by: str


WAREHOUSE = Name("The warehouse", "insights.warehouse.path")


@contextmanager
def opened(path: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file of the warehouse for writing, for a block that is one transaction.

    Nothing of the block stays if it raises. With `read_only`, the file must exist, and other processes may read it too.
    Raises like `connected`, and FailedError for other errors of DuckDB in the block.
    """
    errors = _duckdb().Error
    try:
        with connected(path, read_only=read_only) as connection:
            connection.begin()
            yield connection
            connection.commit()
    except errors as error:
        raise FailedError(f"DuckDB refused a statement on {path}: {first_line(error)}") from error


@contextmanager
def connected(
    path: Path, name: Name = WAREHOUSE, *, read_only: bool = False, keeps_mode: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file, and create it if it does not exist, for a block.

    Only its owner may read the file, and the log beside it (`.wal`), which has rows too. With `keeps_mode`, an existing
    file keeps its permissions, and only a new one is made private. Raises
    BusyError while another process has the file open, and MisconfiguredError if DuckDB is not installed or the file
    cannot be opened.
    """
    duckdb = _duckdb()
    before = os.umask(OWNER_ONLY)
    try:
        try:
            if not keeps_mode:
                _close_to_others(path)
            connection = duckdb.connect(str(path), read_only=read_only)
        except (duckdb.Error, OSError) as error:
            raise _not_opened(path, name, error) from error
        with connection:
            yield connection
    finally:
        os.umask(before)


def _duckdb() -> ModuleType:
    try:
        import duckdb  # noqa: PLC0415 - not part of every installation
    except ModuleNotFoundError as error:
        raise MisconfiguredError(NOT_INSTALLED.format(name=error.name)) from error
    return duckdb


def in_memory() -> duckdb.DuckDBPyConnection:
    """Return a connection to a database without a file."""
    import duckdb  # noqa: PLC0415 - not part of every installation

    return duckdb.connect()


def columns_of(connection: duckdb.DuckDBPyConnection, schema: str) -> dict[str, dict[str, str]]:
    """Return the columns of the tables of a schema with their types: {table: {column: type}}."""
    found: dict[str, dict[str, str]] = {}
    query = (
        "select table_name, column_name, data_type from duckdb_columns()"
        " where database_name = current_database() and schema_name = ? order by table_name, column_index"
    )
    for table, column, data_type in connection.execute(query, [schema]).fetchall():
        found.setdefault(table, {})[column] = data_type
    return found


def quoted(*names: str) -> str:
    """Return a name, with or without its schema, as DuckDB takes it."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def text(value: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


def _close_to_others(path: Path) -> None:
    for file in (path, path.with_name(f"{path.name}.wal")):
        if file.exists() and file.stat().st_mode & OWNER_ONLY:
            file.chmod(file.stat().st_mode & ~OWNER_ONLY)


def _not_opened(path: Path, name: Name, error: BaseException) -> InsightsError:
    says = " ".join(str(error).split())
    if "lock" in says.lower():
        found = _HOLDER.search(says)
        who = f"process {found['pid']} ({Path(found['program']).name})" if found else "another process"
        return BusyError(
            f"{name.what} {path} is in use by {who}, and DuckDB lets one process write a file. Wait until a load has"
            " finished, or close the client that has the file open, then run the same command again."
        )
    return MisconfiguredError(
        f"{name.what} {path} cannot be opened ({first_line(error)}). {name.named_by} must name a file of"
        " DuckDB, or a new file in a folder in which this user may write."
    )
