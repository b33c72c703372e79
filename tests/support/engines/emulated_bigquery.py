"""A warehouse in crucible, an emulator of BigQuery, beside one in PostgreSQL that has the same operational tables."""

# ruff: noqa: S608 -- every statement is made of names of the project

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from support.engines.emulated import Emulated, different_rows, running
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT, load_settings
from orchestration.warehouse.names import Names
from orchestration.warehouse.releases import this_release

STATEMENTS = "statements.jsonl"
OBJECTS = PROJECT / "orchestration/warehouse/bigquery/objects.sql"
# The emulator answers when a query has ended, which may take longer than dbt waits before it sends the same again.
DBT = """
from dbt.adapters.bigquery.retry import RetryFactory
RetryFactory.create_job_creation_timeout = lambda self, fallback=None: 1200.0
from dbt.cli.main import cli
cli()
"""


class BigQuery(Emulated):
    """A server of the emulator."""

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
        return self.folder / STATEMENTS

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

    def dbt(self, *arguments: str, as_of: date) -> str:
        """Run dbt on the emulator and return what it says; the run must succeed."""
        places = ["--profiles-dir", str(PROJECT), "--project-dir", str(PROJECT), "--profile", "orgo_insights_bigquery"]
        environment = os.environ | self.variables | {"INSIGHTS_AS_OF": str(as_of)}
        command = [sys.executable, "-W", "ignore", "-c", DBT, *arguments, *places]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout


@contextmanager
def emulator(folder: Path) -> Iterator[BigQuery]:
    """Run the emulator on a free port while the context lasts."""
    with running("crucible_server.py", str(folder / STATEMENTS)) as port:
        yield BigQuery(folder, port)


def differences(postgres: Warehouse, emulated: BigQuery) -> dict[str, tuple[list[Any], list[Any]]]:
    """Return {relation: (rows that only PostgreSQL has, rows that only the emulator has)}, where there are any."""
    return different_rows(postgres, emulated, "orgo", in_postgres, in_duckdb)


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
