"""What the emulators of other engines share: a server on a free port, rows of the source, rows that differ."""

# ruff: noqa: S608 -- every statement is made of names of the project

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from support.engines.duckdb_file import OF_A_LOAD, OF_THE_SOURCE, REQUESTS
from support.policy import nodes
from support.warehouse import Warehouse

from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import contract_tables

# Makes of a column and its type an expression for the text of its value.
Text = Callable[[str, str], str]


@dataclass(frozen=True)
class Emulated:
    """A server of an emulator, and a folder for what dbt writes and for the operational tables as files."""

    folder: Path
    port: int

    def take(self, source: Warehouse, name: str) -> None:
        """Deliver the operational tables of a built warehouse, as the page of the engine wants it."""
        folder = self.folder / name
        folder.mkdir()
        contract = {
            table.name: {n: column.data_type for n, column in table.columns.items()} for table in contract_tables()
        }
        (folder / "contract.json").write_text(json.dumps(contract), "utf-8")
        for table, columns in contract.items():
            shown = ", ".join(f"to_json({n}) as {n}" if kind == "text[]" else n for n, kind in columns.items())
            query = (
                f"copy (select {shown} from insights_staging.read_{table}()) to stdout (format csv, header, null '\\N')"
            )
            with (
                (folder / f"{table}.csv").open("wb") as file,
                connect(source.admin_url) as connection,
                connection.cursor().copy(query.encode()) as rows,
            ):
                file.writelines(rows)
        with urlopen(f"http://127.0.0.1:{self.port}/load?folder={quote(str(folder))}", timeout=300) as answer:
            assert answer.status == 200

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the database beneath, each value as text: what the emulator stores."""
        texts = f"select cast(columns(*) as varchar) from ({query})"
        with urlopen(f"http://127.0.0.1:{self.port}/duckdb", data=texts.encode(), timeout=300) as answer:
            return [tuple(row) for row in json.load(answer)]


@contextmanager
def running(program: str, *arguments: str) -> Iterator[int]:
    """Run a server of this folder while the context lasts; yields its port, which is its first argument."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    script = str(Path(__file__).with_name(program))
    server = subprocess.Popen([sys.executable, "-W", "ignore", script, str(port), *arguments])
    try:
        while True:
            assert server.poll() is None, "the emulator ended"
            try:
                urlopen(f"http://127.0.0.1:{port}/duckdb", data=b"select 1").close()
                break
            except URLError:
                time.sleep(0.2)
        yield port
    finally:
        server.terminate()
        server.wait()


def different_rows(
    postgres: Warehouse, emulated: Emulated, database: str, in_postgres: Text, in_duckdb: Text
) -> dict[str, tuple[list[Any], list[Any]]]:
    """Return {relation: (rows that only PostgreSQL has, rows that only the emulator has)}, where there are any."""
    found = {}
    for node in nodes("seed", "snapshot", "model"):
        is_view = node["config"]["materialized"] in {"view", "ephemeral"} and node["name"] != "made_reviews"
        if is_view or node["name"] in OF_THE_SOURCE or node["schema"].endswith("_staging"):
            continue
        special = REQUESTS if node["name"] == "review_requests" else {}
        columns = {name: node["columns"][name]["data_type"] or "" for name in node["columns"] if name not in OF_A_LOAD}
        here = ", ".join(in_postgres(special.get(name, name), kind) for name, kind in columns.items())
        there = ", ".join(
            f"{in_duckdb(special.get(name, name), kind)} as c{place}"
            for place, (name, kind) in enumerate(columns.items())
        )
        relation = f"{node['schema']}.{node['name']}"
        rows = (
            postgres.rows(f"select {here} from {relation}"),
            emulated.rows(f"select {there} from {database}.{relation}"),
        )
        payload = list(columns).index("payload") if "payload" in columns else None
        one, other = (Counter(_compared(row, payload) for row in some) for some in rows)
        if one != other:
            found[relation] = (
                sorted((one - other).elements(), key=str)[:3],
                sorted((other - one).elements(), key=str)[:3],
            )
    return found


def _compared(row: tuple[Any, ...], payload: int | None) -> tuple[Any, ...]:
    """Return a row with the members of its JSON text in one order; `payload` is its place."""
    values = list(row)
    if payload is not None and values[payload]:
        values[payload] = json.dumps(json.loads(values[payload]), sort_keys=True)
    return tuple(values)
