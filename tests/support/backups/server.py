"""A server of its own with the built sample, which pgBackRest backs up as `insights backup configure` says."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from support.warehouse import Warehouse

from orchestration.backups.configure import Configuration, plan, write
from orchestration.backups.program import PgBackRest
from orchestration.config.files import CONFIG_FILE, PROJECT, Settings, load_settings
from orchestration.warehouse.connection import connect, open_session
from orchestration.warehouse.database import Database
from workshop.services import LocalPostgres
from workshop.services.binaries import postgres_programs

NAME = "analytics"
PATIENCE_SECONDS = 120
KEY = "5f0c1b9a7d3e48266a91c4d07be2f85320e6b7419fd8ac53"


@dataclass
class Backed:
    """The server, its warehouse, and the settings of prod with a folder and a repository of the test."""

    state: Path
    warehouse: Warehouse
    settings: Settings

    @property
    def directory(self) -> Path:
        """Return `insights.backups.directory`."""
        return Path(self.settings.insights.backups.directory)

    @property
    def repository(self) -> Path:
        """Return the folder of the repository."""
        return self.state / "repository"

    @property
    def data(self) -> Path:
        """Return the data folder of the server."""
        return self.state / "postgres/data"

    @property
    def tool(self) -> PgBackRest:
        """Return pgBackRest as configured."""
        return PgBackRest.of(self.settings)

    @contextmanager
    def opened(self) -> Iterator[Database]:
        """Yield a connection as the ETL role."""
        with Database.open(self.settings) as db:
            yield db

    def configure(self) -> Configuration:
        """Write the configuration, as the command does."""
        with open_session(self.warehouse.admin_url, autocommit=True) as connection:
            planned = plan(self.settings, Database(self.settings, connection))
        write(planned)
        return planned

    def now(self) -> datetime:
        """Return the time of the server, after which everything so far was committed."""
        when: datetime = self.warehouse.value("select clock_timestamp()")
        time.sleep(0.01)  # what is committed next is later
        return when.astimezone(UTC)

    def moment(self) -> datetime:
        """Return a time to restore to: later than the second in which the newest backup ended."""
        time.sleep(1)
        return self.now()

    def archive(self) -> None:
        """Close the current segment and wait until it is archived."""
        # A transaction, because recovery to a time ends at the first one that is later.
        self.warehouse.execute(
            "create table if not exists public.beat (at timestamptz); insert into beat values (now())"
        )
        with connect(self.warehouse.admin_url, autocommit=True) as connection:
            row = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchone()
        assert row
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (self.warehouse.value("select last_archived_wal from pg_stat_archiver") or "") < row[0]:
            assert time.monotonic() < deadline, f"{row[0]} is not archived"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server."""
        self.warehouse.postgres.stop()

    def start(self) -> None:
        """Start the server."""
        self.warehouse.postgres.start()


def settings_for(state: Path, environment: str, url: str, patch: pytest.MonkeyPatch, **rules: object) -> Settings:
    """Return the settings of a config.yaml with the folders of a test, which commands read too."""
    document = yaml.safe_load((PROJECT / CONFIG_FILE).read_text("utf-8"))
    document["insights"]["backups"] |= {"directory": str(state / "backup"), **rules}
    file = state / "config.yaml"
    file.write_text(yaml.safe_dump(document), "utf-8")
    variables = {"ENV": environment, "CONFIG": str(file), "WAREHOUSE_URL": url}
    for name, value in (variables | {"BACKUP_REPOSITORY": str(state / "repository")}).items():
        patch.setenv(f"INSIGHTS_{name}", value)
    return load_settings()


def copy_sample(source: LocalPostgres, template: str, target: LocalPostgres) -> None:
    """Copy a database and the roles of one server to another."""
    programs = postgres_programs()
    target.create_database(NAME)

    def pipe(dump: list[str], database: str) -> None:
        where = ["-h", str(source.socket_dir), "-U", "postgres"]
        to = ["psql", "-X", "-q", "-h", str(target.socket_dir), "-U", "postgres", "-d", database, "-o", os.devnull]
        with subprocess.Popen([programs / dump[0], *dump[1:], *where], stdout=subprocess.PIPE) as dumped:
            # The superuser exists already, which is the only error.
            done = subprocess.run([programs / to[0], *to[1:]], stdin=dumped.stdout, capture_output=True, check=False)
        assert dumped.returncode == done.returncode == 0, done.stderr

    pipe(["pg_dumpall", "--roles-only"], "postgres")
    pipe(["pg_dump", "-d", template], NAME)
    with connect(target.url(NAME, "postgres"), autocommit=True) as connection:
        connection.execute("analyze")
