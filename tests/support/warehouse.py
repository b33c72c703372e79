"""What tests do with a warehouse: query it as each role, and run dbt on it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql
from support import in_process

from orchestration.config.files import Settings
from orchestration.dbt import NO_UNIT_TESTS
from orchestration.dbt_engines import writing
from orchestration.errors import InsightsError
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.source.fingerprints import Fingerprints
from orchestration.warehouse.source.rows import source_rows
from orchestration.warehouse.writer_lock import writer_lock
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

# Not where a test has removed what `insights init` made.
FORGET_CHECKS = """
    do $$ begin
        if to_regclass('insights_ops.test_results') is not null then
            update insights_ops.test_results set checked_through = null;
        end if;
    end $$
"""
NO_TESTS = ("--exclude-resource-type", "test", "unit_test")


@dataclass(frozen=True)
class DbtResult:
    """One finished dbt command."""

    succeeded: bool
    output: str


@dataclass(frozen=True)
class Warehouse:
    """One database with the operational tables and the warehouse."""

    name: str
    postgres: LocalPostgres
    settings: Settings

    @classmethod
    def copy_of(cls, template: str, name: str, postgres: LocalPostgres, settings: Settings) -> Warehouse:
        """Create a database as a copy of `template`, to which no session may be connected.

        A session that was closed just now may need a moment to end: on a busy machine longer than PostgreSQL waits.
        """
        with connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
            deadline = time.monotonic() + 120
            while connection.execute("select from pg_stat_activity where datname = %s", [template]).fetchall():
                assert time.monotonic() < deadline, f"a session stays connected to {template}"
                time.sleep(0.05)
        create_database(postgres, name, template)
        return cls(name, postgres, settings)

    @property
    def admin_url(self) -> str:
        """Return the URL for the superuser."""
        return self.postgres.url(self.name, "postgres")

    @property
    def etl_url(self) -> str:
        """Return the URL for the role that builds."""
        return self.postgres.url(self.name, self.settings.insights.warehouse.write_user)

    @property
    def reader_url(self) -> str:
        """Return the URL for the read-only role."""
        return self.postgres.url(self.name, self.settings.insights.warehouse.read_only_user)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query, as the superuser."""
        with connect(self.admin_url) as connection:
            return connection.execute(query, parameters or None).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        """Return the first column of the first row of a query, as the superuser."""
        return self.rows(query, *parameters)[0][0]

    def wait_for(self, condition: str) -> None:
        """Wait until a query returns a true value, at most five minutes."""
        deadline = time.monotonic() + 300
        while not self.value(condition):
            assert time.monotonic() < deadline, f"waited in vain for: {condition}"
            time.sleep(0.05)

    def execute(self, script: str) -> None:
        """Run statements as the superuser, in one transaction: what the operational side does."""
        with connect(self.admin_url) as connection:
            connection.execute(script)

    def build(
        self,
        *arguments: str,
        as_of: date | str = SAMPLE_AS_OF,
        command: str = "build",
        recounts: bool = True,
        **variables: Any,
    ) -> DbtResult:
        """Run `insights build` with these arguments as the ETL role, with lock, profiles and variables.

        It does so without a process of its own; the tests of processes start theirs. The data tests look at all rows,
        as they do in a recount, unless `recounts` is false. The source gets fingerprints, but is not guarded; one that
        cannot be counted is left to dbt's models, as is a day that is given as text.
        """
        if command == "build":
            arguments = (*NO_UNIT_TESTS, *arguments)
        given = {"as_of": str(as_of)} | variables
        with writing(self.settings, self.etl_url) as claim:
            if command in ("build", "run") and isinstance(as_of, date):
                with suppress(InsightsError), Database.open(self.settings, self.etl_url) as db:
                    fingerprints = Fingerprints.of(db, as_of)
                    found = source_rows(db, "-infinity", "-infinity", fingerprints)
                    fingerprints.store(db, claim, {rows.table: rows.id_sums for rows in found})
            if recounts and command in ("build", "test"):
                with connect(self.etl_url) as connection:
                    connection.execute(FORGET_CHECKS)
            return DbtResult(*in_process.run(self.settings, [command, *arguments], self.etl_url, given, claim))

    @contextmanager
    def locked(self, url: str | None = None) -> Iterator[Database]:
        """Hold the writer lock for a block, as the ETL role or by another URL; yields the session that holds it."""
        with connect(url or self.etl_url, autocommit=True) as connection:
            db = Database(self.settings, connection)
            with writer_lock(db):
                yield db


@contextmanager
def stopped(*processes: int) -> Iterator[None]:
    """Stop processes for a block, as a machine that hangs does."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def connect_as(url: str) -> psycopg.Connection:
    """Return an autocommit connection, for statements that are expected to fail."""
    return connect(url, autocommit=True)


@contextmanager
def disposable_copy(template: str, name: str, postgres: LocalPostgres, settings: Settings) -> Iterator[Warehouse]:
    """Yield a copy of the database `template`, and drop the copy after the block."""
    yield Warehouse.copy_of(template, name, postgres, settings)
    drop_database(postgres, name)


def create_database(postgres: LocalPostgres, name: str, template: str = "template1") -> None:
    """Create a database as a copy of files, which PostgreSQL does not write into its log, as it does by default."""
    create = sql.SQL("create database {} template {} strategy file_copy")
    with connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))


def drop_database(postgres: LocalPostgres, name: str) -> None:
    """Drop a database, even if sessions are connected to it; a run of all tests would fill the disk otherwise."""
    with connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
