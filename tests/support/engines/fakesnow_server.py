"""fakesnow, an emulator of Snowflake on DuckDB, as a server: `python fakesnow_server.py PORT`.

The emulator is repaired where it differs from Snowflake in what dbt-snowflake sends; docs/engines/snowflake.md lists
that. Two addresses are ours: `/load?folder=...` fills the operational tables from files, and `/duckdb` runs a statement
on the database beneath.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import threading
from pathlib import Path
from typing import Any

import fakesnow.arrow
import fakesnow.rowtype
import fakesnow.server as emulator
import fakesnow.transforms
import snowflake.connector.errors
import uvicorn
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import exp
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

# What a replication delivers for a type of the source contract.
DELIVERED = {
    "boolean": "boolean",
    "integer": "integer",
    "text[]": "array",
    "timestamp with time zone": "timestamp_tz(6)",
}
IGNORED = re.compile(
    r"(\s|--[^\n]*\n|/\*.*?\*/)*(alter\s+(table|view)\s+\S+\s+alter\b|comment on |begin\b|commit\b|rollback\b)",
    re.IGNORECASE | re.DOTALL,
)
INSERTED = re.compile(r'values\s*\(((?:\s*"[A-Z_0-9]+"\s*,?)+)\)', re.IGNORECASE)

_execute, _object_construct = FakeSnowflakeCursor.execute, fakesnow.transforms.object_construct
_MERGES = threading.Lock()  # the emulator keeps the candidates of every merge under one name


def repaired(command: str) -> str:
    """Return a statement without what the emulator does not take: comments, transactions, temporary relations."""
    if IGNORED.match(command):
        return "select 1"
    command = re.sub(r"COMMENT \$\$.*?\$\$", "", command, flags=re.DOTALL)
    command = command.replace(' as "NULL")', " as varchar)")  # the type of a column of a view that is always NULL
    command = re.sub(r"\btemporary (table|view)\b", r"\1", command, flags=re.IGNORECASE)
    if "merge into" in command.lower():
        command = INSERTED.sub(lambda m: m[0].replace('"', "").replace(m[1].replace('"', ""), qualified(m[1])), command)
    return command


def qualified(columns: str) -> str:
    """Return the columns of a merge's source, which dbt names without it."""
    return ", ".join(f"DBT_INTERNAL_SOURCE.{column.strip()}" for column in columns.split(","))


def as_errors(function: Any) -> Any:
    """Return a function whose faults are errors of Snowflake: the driver repeats a request that fails otherwise."""

    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except snowflake.connector.errors.Error:
            raise
        except Exception as fault:
            message = f"{type(fault).__name__} {fault}"
            raise snowflake.connector.errors.ProgrammingError(msg=message, errno=9999, sqlstate="99999") from fault

    return run


def execute(self: FakeSnowflakeCursor, command: str, *arguments: Any, **options: Any) -> Any:
    """Run a statement in the form that the emulator takes."""
    if "merge into" in command.lower():
        with _MERGES:
            return _execute(self, repaired(command), *arguments, **options)
    return _execute(self, repaired(command), *arguments, **options)


def describe(self: FakeSnowflakeCursor) -> list[Any]:
    """Return the columns of the last statement, as DuckDB describes them, without parsing its SQL again."""
    found: list[Any] = self._duck_conn.execute(f"DESCRIBE {self._last_sql}", self._last_params or None).fetchall()
    return found


def array_agg(node: exp.Expr) -> exp.Expr:
    """Leave out what is NULL, as Snowflake does."""
    if not isinstance(node, exp.ArrayAgg) or isinstance(node.parent, exp.Window | exp.Filter):
        return node
    value = node.this.this if isinstance(node.this, exp.Order) else node.this
    value = value.expressions[0] if isinstance(value, exp.Distinct) else value
    is_filled = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
    return exp.Anonymous(this="TO_JSON", expressions=[exp.Filter(this=node, expression=exp.Where(this=is_filled))])


def object_construct(node: exp.Expr) -> exp.Expr:
    """Leave out members that are NULL in objects within objects too, as Snowflake does."""
    made = _object_construct(node)
    empty = exp.cast(exp.Literal.string("{}"), "json")
    return made if made is node else exp.Anonymous(this="JSON_MERGE_PATCH", expressions=[empty, made])


def repair() -> None:
    """Put the repairs in the place of what the emulator does."""
    sys.setrecursionlimit(20_000)  # its parser is recursive, and 31 nested calls of replace() are too many for it
    FakeSnowflakeCursor.execute = as_errors(execute)
    FakeSnowflakeCursor._describe_last_sql = as_errors(describe)
    fakesnow.transforms.array_agg = array_agg
    fakesnow.transforms.object_construct = object_construct
    fakesnow.rowtype.duckdb_to_sf_type.update({"UUID": "text", "SMALLINT": "fixed", "FLOAT": "real"})
    emulator.describe_as_rowtype = as_errors(emulator.describe_as_rowtype)
    emulator.to_sf = as_errors(emulator.to_sf)


def load(folder: Path) -> None:
    """Replace the operational tables by those of the files in a folder; `contract.json` has {table: {column: type}}."""
    cursor = emulator.shared_fs.connect(database="ORGO", schema="PUBLIC").cursor()
    duckdb = emulator.shared_fs.duck_conn.cursor()
    for table, types in json.loads((folder / "contract.json").read_text("utf-8")).items():
        file = folder / f"{table}.csv"
        with file.open(encoding="utf-8", newline="") as lines:
            columns = next(csv.reader(lines))
        definitions = ", ".join(f"{name} {DELIVERED.get(types[name], 'varchar')}" for name in columns)
        cursor.execute(f"create or replace table ORGO.PUBLIC.{table} ({definitions})")
        values = ", ".join(f'cast("{name}" as json)' if types[name] == "text[]" else f'"{name}"' for name in columns)
        duckdb.execute(
            f"insert into ORGO.PUBLIC.{table.upper()} select {values}"  # noqa: S608 - names of the contract
            f" from read_csv('{file}', header = true, nullstr = '\\N', all_varchar = true, quote = '\"', escape = '\"')"
        )


async def load_folder(request: Request) -> PlainTextResponse:
    """Answer `/load?folder=...`."""
    load(Path(request.query_params["folder"]))
    return PlainTextResponse("loaded")


async def run_on_duckdb(request: Request) -> PlainTextResponse:
    """Answer `/duckdb`: the rows of a statement as JSON, values that it lacks as text."""
    rows = emulator.shared_fs.duck_conn.cursor().execute((await request.body()).decode()).fetchall()
    return PlainTextResponse(json.dumps(rows, default=str))


if __name__ == "__main__":
    repair()
    threading.stack_size(256 * 1024 * 1024)
    emulator.app.router.routes += [Route("/load", load_folder), Route("/duckdb", run_on_duckdb, methods=["POST"])]
    uvicorn.run(emulator.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
