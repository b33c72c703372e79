"""The private servers of a run, and the databases that the benchmarks share."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click
from psycopg import sql

from benchmarks import source
from benchmarks.errors import BenchmarkError
from benchmarks.measure import Measurement, client_seconds, tree_seconds
from benchmarks.sizes import FIRST_DAY, Size
from orchestration import dbt
from orchestration.config.files import Settings, load_settings
from orchestration.dbt import DbtRun
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services import LocalPostgres, LocalRedis, remove_state, state_root

# Commits wait for the disk, as in production. The benchmarks vacuum between loads, because autovacuum would run at
# arbitrary times.
SERVER = {
    "shared_buffers": "1GB",
    "effective_cache_size": "4GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "512MB",
    "random_page_cost": "1.1",
    "max_wal_size": "8GB",
    "wal_level": "replica",
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "off",
}
GENERATED, BUILT = "generated", "built"  # databases to copy
SETTLE_SECONDS = 60


@dataclass
class Bench:
    """A run of one size: its settings, servers and databases."""

    size: Size
    settings: Settings
    server: LocalPostgres
    cache: LocalRedis
    folder: Path
    is_generated: bool = False
    first_build: Measurement | None = None
    first_file: Measurement | None = None

    @classmethod
    @contextmanager
    def started(cls, size: Size) -> Iterator[Bench]:
        """Yield a run with private servers, which are removed with everything else after the block."""
        with tempfile.TemporaryDirectory(prefix="orgo-insights-bench-") as name, environment(Path(name)):
            folder = Path(name)
            state = state_root(folder)
            server, cache = LocalPostgres(state, SERVER), LocalRedis(state)
            try:
                server.start()
                cache.start()
                os.environ["INSIGHTS_REDIS_URL"] = cache.url()
                yield cls(size, load_settings(), server, cache, folder)
            finally:
                cache.stop()
                server.stop()
                remove_state(state)

    def forget(self) -> None:
        """Drop the databases to copy; the next benchmark that needs one makes it again."""
        for name in (BUILT, GENERATED):
            self.drop(name)
        self.is_generated, self.first_build = False, None

    def restart(self, server: LocalPostgres) -> None:
        """Stop the server and start it with other options, those of `server`, which has the same folder."""
        self.server.stop()
        server.start()
        self.server = server

    @property
    def postmaster(self) -> int:
        """The id of the server's main process."""
        return int((self.server.socket_dir / "data" / "postmaster.pid").read_text(encoding="utf-8").split()[0])

    def admin_url(self, database: str) -> str:
        """Return the URL for the superuser."""
        return self.server.url(database, "postgres")

    def etl_url(self, database: str) -> str:
        """Return the URL for the role that loads."""
        return self.server.url(database, self.settings.insights.warehouse.write_user)

    def reader_url(self, database: str) -> str:
        """Return the URL for the read-only role."""
        return self.server.url(database, self.settings.insights.warehouse.read_only_user)

    def generate(self) -> None:
        """Make the database `generated`, unless it is there: the source's tables, after `insights init`."""
        if self.is_generated:
            return
        self.server.create_database(GENERATED)
        started = time.perf_counter()
        with connect(self.admin_url(GENERATED), autocommit=True) as connection:
            source.fill(connection, self.size.tasks, self.size.organizations, FIRST_DAY)
            spent = time.perf_counter() - started
            click.echo(f"{self.size.name}: generated {self.size.tasks:,} tasks in {spent:.1f} s", err=True)
            initialize(connection, self.settings)
            # The data ends at FIRST_DAY, so the profiles must have been configured before.
            connection.execute("update insights_ops.profiles set updated_at = '2024-01-01'")
        self.vacuum(GENERATED)
        self.is_generated = True

    def build(self) -> Measurement:
        """Make the database `built` with the first build of everything, unless it is there; returns its measurement."""
        if self.first_build:
            return self.first_build
        self.copy(GENERATED, BUILT)
        with self.measured(BUILT) as found:
            run = self.dbt(BUILT, ["build", *dbt.NO_TESTS], FIRST_DAY)
            found.rows = sum(run.rows_written().values())
        self.vacuum(BUILT)
        self.first_build = found
        return found

    def copy(self, template: str, name: str) -> None:
        """Replace the database `name` by a copy of `generated` or `built`, each of which is made if it is missing."""
        self.generate()
        if template == BUILT:
            self.build()
        new, old = sql.Identifier(name), sql.Identifier(template)
        self.settle(template)
        with connect(self.admin_url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(new))
            connection.execute(sql.SQL("create database {} template {} strategy file_copy").format(new, old))
            connection.execute("checkpoint")

    def drop(self, name: str) -> None:
        """Drop a copy, so that the copies of a run do not fill the disk."""
        with connect(self.admin_url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def touch(self, database: str, as_of: date) -> None:
        """Change `changed` tasks on the day before `as_of`; statistics are not updated, as in production."""
        with connect(self.admin_url(database), autocommit=True) as connection:
            source.touch(connection, self.size.changed / self.size.tasks, as_of)

    def vacuum(self, database: str) -> None:
        """Vacuum and analyze in place of autovacuum, and write a checkpoint."""
        with connect(self.admin_url(database), autocommit=True) as connection:
            connection.execute("vacuum analyze")
            connection.execute("checkpoint")

    def dbt(self, database: str, command: Sequence[str], as_of: date, *, loads_source: bool = True) -> DbtRun:
        """Run a dbt command that writes, as `insights build` does; raises BenchmarkError with dbt's last lines.

        The rows of the source are counted first, unless the command does not load it, like that of a review.
        """
        variables = dbt.as_of_variable(as_of)
        url = self.etl_url(database)
        confirmed = dbt.NOTHING if loads_source else None
        with self._artifacts(database):
            done = dbt.write(self.settings, command, url=url, variables=variables, on_line=ignored, confirmed=confirmed)
        return succeeded(done)

    def load(self, database: str, as_of: date, selected: Sequence[str] = ()) -> DbtRun:
        """Build everything or what is `selected`, and test it, with `insights build`; raises like `dbt`.

        The last command is the tests.
        """
        url, variables = self.etl_url(database), dbt.as_of_variable(as_of)
        with self._artifacts(database):
            return succeeded(dbt.build(self.settings, selected, url=url, variables=variables, on_line=ignored))

    @contextmanager
    def _artifacts(self, database: str) -> Iterator[None]:
        """Give a database its own folder of dbt's artifacts, as in production: dbt parses everything for others."""
        shared = os.environ["DBT_TARGET_PATH"]
        os.environ["DBT_TARGET_PATH"] = str(Path(shared) / database)
        try:
            yield
        finally:
            os.environ["DBT_TARGET_PATH"] = shared

    @contextmanager
    def measured(self, database: str, *, has_sessions: bool = False) -> Iterator[Measurement]:
        """Measure a block that uses a database.

        A session's buffers count when it ends, so they are unknown if the database `has_sessions` afterwards.
        """
        found = Measurement()
        buffers = None if has_sessions else self._buffers(database)
        started, client, server = time.perf_counter(), client_seconds(), tree_seconds(self.postmaster)
        yield found
        found.wall, found.client = time.perf_counter() - started, client_seconds() - client
        after = None if has_sessions else self._buffers(database)
        found.server = tree_seconds(self.postmaster) - server
        found.buffers = None if buffers is None or after is None else after - buffers

    def settle(self, database: str) -> None:
        """Wait until no session is connected to a database; raises BenchmarkError after a minute."""
        query = "select count(*) from pg_stat_activity where datname = %s"
        deadline = time.monotonic() + SETTLE_SECONDS
        with connect(self.admin_url("postgres"), autocommit=True) as connection:
            while connection.execute(query, [database]).fetchone() != (0,):
                if time.monotonic() > deadline:
                    raise BenchmarkError(f"A session stays connected to {database}.")
                time.sleep(0.01)

    def _buffers(self, database: str) -> int:
        """Return how many pages the ended sessions of a database have read so far."""
        self.settle(database)
        query = "select blks_hit + blks_read from pg_stat_database where datname = %s"
        with connect(self.admin_url("postgres"), autocommit=True) as connection:
            (pages,) = connection.execute(query, [database]).fetchone() or (0,)
        return int(pages)


@contextmanager
def environment(folder: Path) -> Iterator[None]:
    """Set the environment variables of a run, and restore the former ones after the block."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith(("PG", "INSIGHTS_", "DBT_", "PYTHONPATH"))]:
        del os.environ[name]
    os.environ |= {
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "INSIGHTS_ENV": "prod",
        "INSIGHTS_EXPORT_DIR": str(folder / "exports"),
        "INSIGHTS_EXPORT_KEY": "a key of the benchmarks, long enough",
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def succeeded(done: DbtRun) -> DbtRun:
    """Return a dbt run that succeeded; raises BenchmarkError with dbt's last lines if it did not."""
    if done.exit_code:
        raise BenchmarkError("dbt failed:\n" + "".join(done.output))
    return done


def ignored(_: object) -> None:
    """Discard a value, such as a line of output."""
