"""crucible, an emulator of BigQuery on DuckDB, as a server: `python crucible_server.py PORT STATEMENTS`.

The emulator is repaired where it lacks what dbt-bigquery sends; docs/engines/bigquery.md lists that. STATEMENTS is a
file to which each statement that it runs is written, a line of JSON. Two addresses are ours: `/load?folder=...` fills
the operational tables from files, and `/duckdb` runs a statement on the database beneath.
"""

from __future__ import annotations

import csv
import json
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow
import uvicorn
from crucible.dialects.bigquery import ddl, statements, transforms, translate
from crucible.dialects.bigquery.generator import generate
from crucible.dialects.bigquery.transforms import json as json_transform
from crucible.dialects.bigquery.transforms.common import duck_cast, rewrite_bottom_up, typed
from crucible.engine import Engine, ExecContext, Pipeline, Plan
from crucible.engine.catalog import qualified
from crucible.server.app import create_app
from crucible.server.bigquery import load as loads
from crucible.server.bigquery.app import BigQueryServer
from sqlglot import exp
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PROJECT = "orgo"
# What a replication delivers for a type of the source contract.
DELIVERED = {
    "boolean": "boolean",
    "integer": "bigint",
    "text[]": "varchar[]",
    "timestamp with time zone": "timestamptz",
}

_column_def = ddl.column_def
_plan = statements._plan
_execute = Pipeline.execute
_encodable = json_transform._encodable
_parse_csv = loads.parse_csv
_tables_patch = BigQueryServer.tables_patch
_writes = threading.Lock()


def column_def(column: exp.Expr) -> str:
    """Return a column of a table without its default, which the emulator does not take."""
    constraints = column.args.get("constraints") or []
    kept = [one for one in constraints if not isinstance(one.args.get("kind"), exp.DefaultColumnConstraint)]
    column.set("constraints", kept)
    definition: str = _column_def(column)
    return definition


def plan(tree: exp.Expr, ctx: ExecContext) -> Plan:
    """Return how a statement is run; the emulator has no DELETE."""
    if not isinstance(tree, exp.Delete):
        return _plan(tree, ctx)
    condition = exp.select(exp.alias_(tree.args["where"].this.copy(), "is_deleted")).from_(tree.this.copy())
    prepared = translate.prepare(condition, ctx)
    [select] = translate.outer_selects(prepared.query)
    table, where = generate(select.args["from_"].this), generate(select.expressions[0].this)
    deletion = f"DELETE FROM {table} WHERE {where}"  # noqa: S608 - as the emulator has translated it
    return statements.run_sql(deletion, "DELETE", ctx, returns_rows=False)


def encodable(node: exp.JSONFormat) -> None:
    """Let to_json_string() take a text, which the emulator takes for JSON."""
    _encodable(node)
    case = node.this
    if isinstance(case, exp.Case):
        case.set("default", exp.Anonymous(this="to_json", expressions=[case.args["default"]]))


def days(tree: exp.Expr, context: Any) -> exp.Expr:
    """Let a sum of a day be a day: DuckDB adds no BIGINT to it, and makes a TIMESTAMP of a day and an interval."""

    def rewrite(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.DateAdd | exp.DateSub):
            day: exp.Expr = typed(duck_cast(node.copy(), "DATE"), "DATE")
            return day
        if isinstance(node, exp.Add | exp.Sub):
            for one, other in ((node.left, node.right), (node.right, node.left)):
                if one.type is not None and one.type.this == exp.DType.DATE and _is_number(other):
                    other.replace(duck_cast(other.copy(), "INTEGER"))
        return node

    rewritten: exp.Expr = rewrite_bottom_up(tree, rewrite)
    return rewritten


def _is_number(node: exp.Expr) -> bool:
    return node.type is not None and node.type.this in {exp.DType.BIGINT, exp.DType.INT}


def parse_csv(data: bytes, fields: list[dict[str, Any]], skip: int) -> list[Any]:
    """Return the rows of a seed; a time of day stays a text, which DuckDB casts."""
    texts = [field | {"type": "STRING"} if field["type"].upper() == "TIME" else field for field in fields]
    return list(_parse_csv(data, texts, skip))


async def tables_patch(self: BigQueryServer, request: Request) -> Response:
    """Change a table; the emulator keeps no descriptions."""
    body = without_descriptions(await request.json())
    request._json = body
    answer: Response = await _tables_patch(self, request)
    return answer


def without_descriptions(value: Any) -> Any:
    """Return a JSON value without the members `description`."""
    if isinstance(value, dict):
        return {name: without_descriptions(one) for name, one in value.items() if name != "description"}
    return [without_descriptions(one) for one in value] if isinstance(value, list) else value


def repair(log: Path) -> None:
    """Put the repairs in the place of what the emulator does, and write down each statement."""

    def execute(self: Pipeline, session: Any, sql: str, params: Any = None) -> Any:
        with _writes, log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(sql) + "\n")
        return _execute(self, session, sql, params)

    sys.setrecursionlimit(20_000)  # its parser is recursive, and 31 nested calls of replace() are too many for it
    ddl.column_def = column_def
    statements._plan = plan
    json_transform._encodable = encodable
    loads.parse_csv = parse_csv
    transforms.PIPELINE = (*transforms.PIPELINE, ("days", days))
    BigQueryServer.tables_patch = tables_patch
    Pipeline.execute = execute


def load(engine: Engine, folder: Path) -> None:
    """Replace the operational tables by those of the files in a folder; `contract.json` has {table: {column: type}}."""
    duckdb = engine._con.cursor()
    for table, types in json.loads((folder / "contract.json").read_text("utf-8")).items():
        with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as lines:
            reader = csv.reader(lines)
            columns = next(reader)
            rows = [[None if value == "\\N" else value for value in row] for row in reader]
        texts = {
            name: pyarrow.array([row[place] for row in rows], pyarrow.string()) for place, name in enumerate(columns)
        }
        duckdb.register("delivered", pyarrow.table(texts))
        values = ", ".join(
            f'cast(cast("{name}" as json) as varchar[]) as "{name}"'
            if types[name] == "text[]"
            else f'cast("{name}" as {DELIVERED.get(types[name], "varchar")}) as "{name}"'
            for name in columns
        )
        target = qualified(PROJECT, "public", table)
        duckdb.execute(f"create or replace table {target} as select {values} from delivered")  # noqa: S608
        duckdb.unregister("delivered")


def main(port: int, log: Path) -> None:
    """Serve until the process is ended."""
    repair(log)
    engine = Engine()
    engine.attach_catalog(PROJECT)
    app = create_app("bigquery", engine)

    async def load_folder(request: Request) -> PlainTextResponse:
        load(engine, Path(request.query_params["folder"]))
        return PlainTextResponse("loaded")

    async def run_on_duckdb(request: Request) -> PlainTextResponse:
        cursor = engine._con.cursor()
        rows = cursor.execute((await request.body()).decode()).fetchall()
        return PlainTextResponse(json.dumps(rows, default=str))

    app.router.routes[:0] = [Route("/load", load_folder), Route("/duckdb", run_on_duckdb, methods=["POST"])]
    threading.stack_size(256 * 1024 * 1024)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
