"""A place without a server: a snapshot, a configuration of DuckDB, and a file that the commands make."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import in_process
from support.config_project import CONFIG

from orchestration import dbt
from orchestration.cli import main
from orchestration.config.files import PROJECT, Settings, load_settings
from workshop.sample.load import SAMPLE_AS_OF

INSIGHTS = str(Path(sys.executable).with_name("insights"))


@dataclass(frozen=True)
class Laptop:
    """A folder with a snapshot, a configuration and the place of a file, and no address of any server."""

    place: Path
    variables: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        text = (PROJECT / CONFIG).read_text("utf-8")
        (self.place / "config.yaml").write_text(text.replace("type: postgres", "type: duckdb", 1), "utf-8")
        variables = {
            "INSIGHTS_CONFIG": str(self.place / "config.yaml"),
            "INSIGHTS_DUCKDB_PATH": str(self.file),
            "INSIGHTS_SNAPSHOT_DIR": str(self.snapshot),
            "INSIGHTS_AS_OF": str(SAMPLE_AS_OF),
            "DBT_TARGET_PATH": str(self.place / "target"),
        }
        object.__setattr__(self, "variables", variables)

    @property
    def file(self) -> Path:
        """Return the file of the warehouse."""
        return self.place / "warehouse.duckdb"

    @property
    def snapshot(self) -> Path:
        """Return the folder of the snapshot."""
        return self.place / "snapshot"

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment variables of a command there, with more of them."""
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("INSIGHTS_WAREHOUSE", "PG"))}
        return environment | self.variables | more

    def start(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `insights ARGUMENTS` in a process of its own, with more environment variables."""
        command, environment = [INSIGHTS, *arguments], self.environment(**more)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Do what `start` does in the process of the test, dbt included: each process would take seconds to start."""
        lines, buffers = list[str](), (BytesIO(), BytesIO())

        def run_dbt(arguments: Any, environment: Any, on_line: Any = None, *others: Any) -> int:
            return in_process.run_dbt(arguments, environment, on_line or lines.append, *others)

        out, err = (TextIOWrapper(buffer, "utf-8", write_through=True) for buffer in buffers)  # as a process has them
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(dbt, "run_dbt", run_dbt)
            patch.setattr(sys, "argv", [INSIGHTS, *arguments])
            environment = self.environment(**more)
            for name in os.environ.keys() - environment.keys():
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            try:
                main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
        said, complained = (buffer.getvalue().decode() for buffer in buffers)
        return subprocess.CompletedProcess(arguments, code, "".join([*lines, said]), complained)

    def value(self, query: str) -> object:
        """Return the one value of a query on the file."""
        with duckdb.connect(str(self.file), read_only=True) as connection:
            found = connection.execute(query).fetchone()
        assert found
        return found[0]

    def settings(self, **more: str) -> Settings:
        """Return the configuration as the commands read it there."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (self.variables | more).items():
                patch.setenv(name, value)
            settings = load_settings()
            _ = settings.duckdb_path, settings.snapshot_directory  # read now, while the variables are set
        return settings
