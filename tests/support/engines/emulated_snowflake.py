"""A warehouse in fakesnow, an emulator of Snowflake, beside one in PostgreSQL that has the same operational tables."""

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

import snowflake.connector
from support.engines.duckdb_file import OF_A_LOAD, OF_THE_SOURCE, REQUESTS
from support.policy import nodes
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT, load_settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.names import Names
from orchestration.warehouse.releases import this_release

HERE = Path(__file__).parent
OBJECTS = PROJECT / "orchestration/warehouse/snowflake/objects.sql"
# A query of the emulator may take longer than the driver waits before it sends the same again.
DBT = """
import snowflake.connector.connection
snowflake.connector.connection.DEFAULT_CONFIGURATION["socket_timeout"] = (1200, (type(None), int))
from dbt.cli.main import cli
cli()
"""


@dataclass(frozen=True)
class Snowflake:
    """A server of the emulator, and a folder for what dbt writes and for the operational tables as files."""

    folder: Path
    port: int

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables that lead dbt to the emulator."""
        return {
            "SNOWFLAKE_ACCOUNT": "fakesnow",
            "SNOWFLAKE_USER": "fake",
            "SNOWFLAKE_PASSWORD": "snow",
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_PORT": str(self.port),
            "SNOWFLAKE_PROTOCOL": "http",
            "SNOWFLAKE_DATABASE": "ORGO",
            "INSIGHTS_ENV": "dev",
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_TARGET_PATH": str(self.folder / "target"),
        }

    def execute(self, *statements: str, values: Any = None) -> None:
        """Run statements by Snowflake's driver."""
        with snowflake.connector.connect(
            user="fake",
            password="snow",  # noqa: S106 - the emulator takes any
            account="fakesnow",
            host="127.0.0.1",
            port=self.port,
            protocol="http",
            database="ORGO",
        ) as connection:
            for statement in statements:
                connection.cursor().execute(statement, values)

    def prepare(self) -> None:
        """Make the schemas and the bookkeeping, as docs/engines/snowflake.md tells."""
        settings = load_settings()
        names = Names.of(settings)
        lines = [line for line in OBJECTS.read_text("utf-8").splitlines() if not line.startswith("--")]
        objects = "\n".join(lines).format(ops=f"ORGO.{names.ops_schema}")
        self.execute(
            *(f"create schema if not exists ORGO.{schema}" for schema in (*names.schemas, names.source_schema))
        )
        self.execute(*(statement for statement in objects.split(";") if statement.strip()))
        self.execute(
            f"insert into ORGO.{names.ops_schema}.releases (version, scripts_sha256, prepared_by)"  # noqa: S608
            f" values ('{this_release()}', '-', 'test')",
            f"insert into ORGO.{names.ops_schema}.secret_keys (purpose, secret)"  # noqa: S608
            f" values ('review_cases', '{secrets.token_hex(32)}')",
        )
        for code, profile in settings.profiles.items():
            document = json.dumps(profile.model_dump(mode="json"))
            limits = (profile.reactivity_seconds, profile.max_escalation_seconds)
            self.execute(
                f"insert into ORGO.{names.ops_schema}.profiles (profile_code, default_visibility, reactivity_seconds,"  # noqa: S608
                " max_escalation_seconds, document) values (%s, %s, %s, %s, %s)",
                values=(code, profile.default_task_metadata.visibility, *limits, document),
            )

    def take(self, source: Warehouse, name: str) -> None:
        """Deliver the operational tables of a built warehouse, as docs/engines/snowflake.md wants it."""
        folder = self.folder / name
        folder.mkdir()
        contract = {
            table.name: {n: column.data_type for n, column in table.columns.items()} for table in contract_tables()
        }
        (folder / "contract.json").write_text(json.dumps(contract), "utf-8")
        for table, columns in contract.items():
            shown = ", ".join(f"to_json({n}) as {n}" if kind == "text[]" else n for n, kind in columns.items())
            query = (
                f"copy (select {shown} from insights_staging.read_{table}())"  # noqa: S608 - names of the contract
                " to stdout (format csv, header, null '\\N')"
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
        places = ["--profiles-dir", str(PROJECT), "--project-dir", str(PROJECT), "--profile", "orgo_insights_snowflake"]
        environment = os.environ | self.variables | {"INSIGHTS_AS_OF": str(as_of)}
        command = [sys.executable, "-W", "ignore", "-c", DBT, *arguments, *places]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the database beneath, each value as text: what the emulator stores."""
        texts = f"select cast(columns(*) as varchar) from ({query})"  # noqa: S608
        with urlopen(f"http://127.0.0.1:{self.port}/duckdb", data=texts.encode(), timeout=300) as answer:
            return [tuple(row) for row in json.load(answer)]


@contextmanager
def emulator(folder: Path) -> Iterator[Snowflake]:
    """Run the emulator on a free port while the context lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-W", "ignore", str(HERE / "fakesnow_server.py"), str(port)])
    try:
        while True:
            assert server.poll() is None, "the emulator ended"
            try:
                urlopen(f"http://127.0.0.1:{port}/duckdb", data=b"select 1").close()
                break
            except URLError:
                time.sleep(0.2)
        yield Snowflake(folder, port)
    finally:
        server.terminate()
        server.wait()


def differences(postgres: Warehouse, emulated: Snowflake) -> dict[str, tuple[list[Any], list[Any]]]:
    """Return {relation: (rows that only PostgreSQL has, rows that only the emulator has)}, where there are any."""
    found = {}
    for node in nodes("seed", "snapshot", "model"):
        is_view = node["config"]["materialized"] in {"view", "ephemeral"} and node["name"] != "made_reviews"
        if is_view or node["name"] in OF_THE_SOURCE or node["schema"].endswith("_staging"):
            continue
        special = REQUESTS if node["name"] == "review_requests" else {}
        columns = [name for name in node["columns"] if name not in OF_A_LOAD]
        here = ", ".join(
            f"cast(to_json({name}) as text)"
            if (node["columns"][name]["data_type"] or "").endswith("[]")
            else f"cast({special.get(name, name)} as text)"
            for name in columns
        )
        there = ", ".join(f"{special.get(name, name)} as c{place}" for place, name in enumerate(columns))
        relation = f"{node['schema']}.{node['name']}"
        rows = postgres.rows(f"select {here} from {relation}"), emulated.rows(f"select {there} from ORGO.{relation}")  # noqa: S608
        payload = columns.index("payload") if "payload" in columns else None
        one, other = (Counter(compared(row, payload) for row in some) for some in rows)
        if one != other:
            found[relation] = (
                sorted((one - other).elements(), key=str)[:3],
                sorted((other - one).elements(), key=str)[:3],
            )
    return found


def compared(row: tuple[Any, ...], payload: int | None) -> tuple[Any, ...]:
    """Return a row with the members of its JSON text in one order; `payload` is its place."""
    values = list(row)
    if payload is not None and values[payload]:
        values[payload] = json.dumps(json.loads(values[payload]), sort_keys=True)
    return tuple(values)
