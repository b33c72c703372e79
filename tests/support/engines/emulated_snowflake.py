"""A warehouse in fakesnow, an emulator of Snowflake, beside one in PostgreSQL that has the same operational tables."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from support.config_project import CONFIG
from support.engines.duckdb_file import OF_A_LOAD, OF_THE_SOURCE, REQUESTS
from support.policy import nodes
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT, Settings, load_settings
from orchestration.retention.plan import Retained
from orchestration.retention.purge import PurgeReport
from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.names import Names
from orchestration.warehouse.snowflake.connection import Session, connected
from orchestration.warehouse.snowflake.purge import preview, purge

HERE = Path(__file__).parent
# What Python runs when it starts: the driver repeats a query whose answer takes longer than it waits.
PATIENT = """
import snowflake.connector.connection
snowflake.connector.connection.DEFAULT_CONFIGURATION["socket_timeout"] = (1200, (type(None), int))
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
            "SNOWFLAKE_ROLE": "fake",
            "SNOWFLAKE_WAREHOUSE": "fake",
            "INSIGHTS_ENV": "dev",
            "PYTHONPATH": str(self.folder / "patient"),
            "PYTHONWARNINGS": "ignore",
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_TARGET_PATH": str(self.folder / "target"),
        }

    @property
    def settings(self) -> Settings:
        """Return the shipped configuration, for dev, with Snowflake as the warehouse."""
        settings = load_settings()
        warehouse = settings.insights.warehouse.model_copy(update={"type": "snowflake"})
        return replace(settings, insights=settings.insights.model_copy(update={"warehouse": warehouse}))

    def insights(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Insights on the emulator, in a process of its own, and return what it says."""
        with self.start(*arguments, **more) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start a command of Insights on the emulator."""
        config = self.folder / "config.yaml"
        if not config.exists():
            text = (PROJECT / CONFIG).read_text("utf-8")
            config.write_text(text.replace("type: postgres", "type: snowflake", 1), "utf-8")
        environment = os.environ | self.variables | {"INSIGHTS_CONFIG": str(config), **more}
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("insights")), *arguments],
            env=environment,
            text=True,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def prepare(self) -> None:
        """Run `insights init`, in a database that has the schema of the source."""
        self.session_execute(f"create schema if not exists {Names.of(self.settings).source_schema}")
        done = self.insights("init")
        assert done.returncode == 0, done.stderr

    def build(self, *arguments: str, as_of: date) -> str:
        """Run `insights build`, which must succeed, and return what it says."""
        done = self.insights("build", *arguments, "--as-of", str(as_of))
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def purge(self, plan: Sequence[Retained], as_of: date, *, is_preview: bool = False) -> PurgeReport:
        """Purge the warehouse, or count what a purge would delete."""
        with self.environment():
            return (preview if is_preview else purge)(self.settings, plan, as_of)

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Let the variables of this process lead to the emulator."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.variables.items():
                patch.setenv(name, value)
            yield

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session of ours on the emulator."""
        with self.environment(), connected(self.settings) as session:
            yield session

    def session_execute(self, statement: str) -> None:
        """Run a statement in a session of its own."""
        with self.session() as session:
            session.execute(statement)

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
        """Run a plain dbt on the emulator and return what it says; the run must succeed."""
        done = self.run_dbt(*arguments, as_of=as_of)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def run_dbt(self, *arguments: str, as_of: date, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a plain dbt on the emulator, with more environment variables."""
        places = ["--profiles-dir", str(PROJECT), "--project-dir", str(PROJECT), "--profile", "orgo_insights_snowflake"]
        environment = os.environ | self.variables | {"INSIGHTS_AS_OF": str(as_of), **more}
        command = [str(Path(sys.executable).with_name("dbt")), *arguments, *places]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

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
        (folder / "patient").mkdir()
        (folder / "patient" / "sitecustomize.py").write_text(PATIENT, "utf-8")
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
