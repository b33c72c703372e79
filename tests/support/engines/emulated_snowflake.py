"""A warehouse in fakesnow, an emulator of Snowflake, beside one in PostgreSQL that has the same operational tables."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support.config_project import CONFIG
from support.engines.emulated import Emulated, different_rows, running
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT, Settings, load_settings
from orchestration.retention.plan import Retained
from orchestration.retention.purge import PurgeReport
from orchestration.warehouse.names import Names
from orchestration.warehouse.snowflake.connection import Session, connected
from orchestration.warehouse.snowflake.purge import preview, purge

# What Python runs when it starts: the driver repeats a query whose answer takes longer than it waits.
PATIENT = """
import snowflake.connector.connection
snowflake.connector.connection.DEFAULT_CONFIGURATION["socket_timeout"] = (1200, (type(None), int))
"""


class Snowflake(Emulated):
    """A server of the emulator."""

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


@contextmanager
def emulator(folder: Path) -> Iterator[Snowflake]:
    """Run the emulator on a free port while the context lasts."""
    with running("fakesnow_server.py") as port:
        (folder / "patient").mkdir()
        (folder / "patient" / "sitecustomize.py").write_text(PATIENT, "utf-8")
        yield Snowflake(folder, port)


def differences(postgres: Warehouse, emulated: Snowflake) -> dict[str, tuple[list[Any], list[Any]]]:
    """Return {relation: (rows that only PostgreSQL has, rows that only the emulator has)}, where there are any."""
    return different_rows(postgres, emulated, "ORGO", in_postgres, lambda column, _: column)


def in_postgres(column: str, kind: str) -> str:
    """Return a column of PostgreSQL as the text that the emulator stores."""
    return f"cast(to_json({column}) as text)" if kind.endswith("[]") else f"cast({column} as text)"
