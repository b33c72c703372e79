"""A warehouse in crucible, an emulator of BigQuery, beside one in PostgreSQL that has the same operational tables."""

# ruff: noqa: S608 -- every statement is made of names of the project

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from support.engines.duckdb_file import OF_A_LOAD, OF_THE_SOURCE, REQUESTS
from support.policy import nodes
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT, load_settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.names import Names
from orchestration.warehouse.releases import this_release

HERE = Path(__file__).parent
OBJECTS = PROJECT / "orchestration/warehouse/bigquery/objects.sql"
# The emulator answers when a query has ended, which may take longer than dbt waits before it sends the same again.
DBT = """
from dbt.adapters.bigquery.retry import RetryFactory
RetryFactory.create_job_creation_timeout = lambda self, fallback=None: 1200.0
from dbt.cli.main import cli
cli()
"""


@dataclass(frozen=True)
class BigQuery:
    """A server of the emulator, and a folder for what dbt writes and for the operational tables as files."""

    folder: Path
    port: int

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables that lead dbt to the emulator."""
        return {
            "BIGQUERY_API_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "BIGQUERY_ACCESS_TOKEN": "any",
            "GOOGLE_CLOUD_PROJECT": "orgo",
            "INSIGHTS_ENV": "dev",
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_TARGET_PATH": str(self.folder / "target"),
        }

    @property
    def statements(self) -> Path:
        """Return the file with each statement that the emulator has run, a line of JSON."""
        return self.folder / "statements.jsonl"

    def execute(self, *statements: str) -> None:
        """Run statements by Google's client."""
        with bigquery.Client(
            project="orgo",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": f"http://127.0.0.1:{self.port}"},
        ) as client:
            for statement in statements:
                client.query(statement).result()

    def prepare(self) -> None:
        """Make the datasets and the bookkeeping, as docs/engines/bigquery.md tells."""
        settings = load_settings()
        names = Names.of(settings)
        lines = [line for line in OBJECTS.read_text("utf-8").splitlines() if not line.startswith("--")]
        objects = "\n".join(lines).format(ops=names.ops_schema)
        now = "current_timestamp()"
        self.execute(
            *(f"create schema if not exists {schema}" for schema in (*names.schemas, names.source_schema)),
            *(statement for statement in objects.split(";") if statement.strip()),
            f"insert into {names.ops_schema}.releases"
            " (release_number, version, scripts_sha256, prepared_at, prepared_by)"
            f" values (1, '{this_release()}', '-', {now}, 'test')",
            f"insert into {names.ops_schema}.secret_keys (purpose, secret, created_at)"
            f" values ('review_cases', '{secrets.token_hex(32)}', {now})",
        )
        for code, profile in settings.profiles.items():
            document = json.dumps(profile.model_dump(mode="json")).replace("\\", "\\\\").replace("'", "\\'")
            visibility = profile.default_task_metadata.visibility
            self.execute(
                f"insert into {names.ops_schema}.profiles (profile_code, default_visibility, reactivity_seconds,"
                f" max_escalation_seconds, document, updated_at) values ('{code}', '{visibility}',"
                f" {profile.reactivity_seconds}, {profile.max_escalation_seconds}, '{document}', {now})"
            )

    def take(self, source: Warehouse, name: str) -> None:
        """Deliver the operational tables of a built warehouse, as docs/engines/bigquery.md wants it."""
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

    def dbt(self, *arguments: str, as_of: date) -> str:
        """Run dbt on the emulator and return what it says; the run must succeed."""
        places = ["--profiles-dir", str(PROJECT), "--project-dir", str(PROJECT), "--profile", "orgo_insights_bigquery"]
        environment = os.environ | self.variables | {"INSIGHTS_AS_OF": str(as_of)}
        command = [sys.executable, "-W", "ignore", "-c", DBT, *arguments, *places]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the database beneath, each value as text: what the emulator stores."""
        texts = f"select cast(columns(*) as varchar) from ({query})"
        with urlopen(f"http://127.0.0.1:{self.port}/duckdb", data=texts.encode(), timeout=300) as answer:
            return [tuple(row) for row in json.load(answer)]


@contextmanager
def emulator(folder: Path) -> Iterator[BigQuery]:
    """Run the emulator on a free port while the context lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    statements = folder / "statements.jsonl"
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(HERE / "crucible_server.py"), str(port), str(statements)]
    )
    try:
        while True:
            assert server.poll() is None, "the emulator ended"
            try:
                urlopen(f"http://127.0.0.1:{port}/duckdb", data=b"select 1").close()
                break
            except URLError:
                time.sleep(0.2)
        yield BigQuery(folder, port)
    finally:
        server.terminate()
        server.wait()


def differences(postgres: Warehouse, emulated: BigQuery) -> dict[str, tuple[list[Any], list[Any]]]:
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
        rows = postgres.rows(f"select {here} from {relation}"), emulated.rows(f"select {there} from orgo.{relation}")
        payload = list(columns).index("payload") if "payload" in columns else None
        one, other = (Counter(compared(row, payload) for row in some) for some in rows)
        if one != other:
            found[relation] = (
                sorted((one - other).elements(), key=str)[:3],
                sorted((other - one).elements(), key=str)[:3],
            )
    return found


def in_postgres(column: str, kind: str) -> str:
    """Return a column of PostgreSQL as a text that both engines write alike; an array that is NULL is empty there."""
    if kind.endswith("[]"):
        return f"coalesce(cast(to_json({column}) as text), '[]')"
    return f"cast(trim_scale({column}) as text)" if kind.startswith("numeric") else f"cast({column} as text)"


def in_duckdb(column: str, kind: str) -> str:
    """Return a column of the database beneath the emulator as the same text; a number has nine decimals there."""
    if kind.endswith("[]"):
        return f"cast(to_json({column}) as varchar)"
    return f"rtrim(rtrim(cast({column} as varchar), '0'), '.')" if kind.startswith("numeric") else column


def compared(row: tuple[Any, ...], payload: int | None) -> tuple[Any, ...]:
    """Return a row with the members of its JSON text in one order; `payload` is its place."""
    values = list(row)
    if payload is not None and values[payload]:
        values[payload] = json.dumps(json.loads(values[payload]), sort_keys=True)
    return tuple(values)
