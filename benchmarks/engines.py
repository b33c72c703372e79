"""Everything in a file of DuckDB, compared with PostgreSQL: a snapshot, the first build, daily loads."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.errors import BenchmarkError
from benchmarks.measure import Comparison, Measurement, children, client_only, failing, once
from benchmarks.services import BUILT, GENERATED, Bench, ignored, succeeded
from benchmarks.sizes import FIRST_DAY
from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.source_snapshot.take import Wanted, take_snapshot
from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import contract_tables

NAME, WHOLE = "engines", "engines_whole"  # also databases
# The file after its first build, from which `publish` starts too: its folder in that of the run, and the database that
# it was loaded from; and the folder of the file that is loaded daily.
FIRST, SOURCE, DAILY = "duckdb_first", "duckdb_source", "duckdb_daily"
SAMPLE_SECONDS = 0.2
MIB = 1024
COUNT = "select count(*) from insights.{}"


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield a snapshot with COPY as its floor, then the first build and daily loads with those of PostgreSQL as theirs.

    The marts of both engines have the same number of rows, which is compared; `tests/engines` compares the rows.
    """
    compare = partial(Comparison, NAME, size=bench.size)
    taken = compare("snapshot of the source", floor_name="COPY of the tables", is_same=True)
    bench.copy(GENERATED, NAME)
    yield once(taken, partial(_snapshot, bench), partial(_copies, bench))
    first = compare("first build, everything, DuckDB", floor_name="PostgreSQL", is_same=True)
    with failing(first, "work"):
        first.work.append(_build(bench))
    with failing(first, "floor"):
        first.floor.append(_with_rows(bench.build(), _postgres_rows(of_duckdb(bench, FIRST), bench, BUILT)))
    yield _checked(first)
    settings = copy_file(bench, DAILY)
    bench.copy(BUILT, WHOLE)
    daily = compare(
        f"daily load, {bench.size.what_is_loaded} with its tests, DuckDB", floor_name="PostgreSQL", is_same=True
    )
    for number in range(1, bench.size.repeats + 1):
        day = FIRST_DAY + timedelta(days=number)
        bench.vacuum(WHOLE)
        bench.touch(WHOLE, day)
        take(bench, WHOLE, DAILY)
        once(daily, partial(_load, settings, day, bench.size.loaded), partial(_load_postgres, settings, bench, day))
    yield daily
    bench.drop(NAME)
    bench.drop(WHOLE)
    shutil.rmtree(bench.folder / DAILY)


def of_duckdb(bench: Bench, folder: str) -> Settings:
    """Return the settings of a run for a file of DuckDB in a folder of its own, with its snapshot."""
    insights = bench.settings.insights
    places = {
        "warehouse": insights.warehouse.model_copy(
            update={"type": "duckdb", "path": str(bench.folder / folder / "warehouse.duckdb")}
        ),
        "source": insights.source.model_copy(update={"snapshot_directory": str(bench.folder / folder / "snapshot")}),
    }
    (bench.folder / folder).mkdir(exist_ok=True)
    return replace(bench.settings, insights=insights.model_copy(update=places))


def copy_file(bench: Bench, folder: str) -> Settings:
    """Replace a folder by the file after its first build, with its snapshot, which are made if they are missing.

    Returns its settings.
    """
    _build(bench)
    shutil.rmtree(bench.folder / folder, ignore_errors=True)
    shutil.copytree(bench.folder / FIRST, bench.folder / folder)
    return of_duckdb(bench, folder)


def _build(bench: Bench) -> Measurement:
    """Make the file with the first build of everything, unless it is there; returns its measurement."""
    if bench.first_file is None:
        bench.copy(GENERATED, SOURCE)
        take(bench, SOURCE, FIRST)
        bench.first_file = _load(of_duckdb(bench, FIRST), FIRST_DAY, dbt.NO_TESTS)
    return bench.first_file


def take(bench: Bench, database: str, folder: str) -> int:
    """Replace the snapshot in a folder of the run by one of a database; returns its rows."""
    os.environ["INSIGHTS_WAREHOUSE_URL"] = bench.etl_url(database)
    settings = of_duckdb(bench, folder)  # settings keep the address that they were first asked for
    taken = take_snapshot(settings, settings.snapshot_directory, Wanted(replace=True))
    return sum(table.rows for table in taken.tables.values())


def _snapshot(bench: Bench) -> Measurement:
    with bench.measured(NAME) as found:
        found.rows = take(bench, NAME, DAILY)
    return found


def _copies(bench: Bench) -> Measurement:
    """Copy the columns of the contract out of the server, and throw them away."""
    schema = bench.settings.insights.source.schema_name
    with bench.measured(NAME) as found, connect(bench.etl_url(NAME)) as connection:
        found.rows = 0
        for table in contract_tables():
            with connection.cursor() as cursor:
                columns = ", ".join(name for name, column in table.columns.items() if not column.deployed_only)
                with cursor.copy(f"copy (select {columns} from {schema}.{table.name}) to stdout") as out:  # noqa: S608
                    for _ in out:
                        pass
                found.rows += cursor.rowcount
    return found


def _load(settings: Settings, day: date, arguments: tuple[str, ...]) -> Measurement:
    """Load the file as `insights build` does; `rows` are those of its marts then."""
    with client_only() as found, peak_memory(found):
        variables = dbt.as_of_variable(day)
        succeeded(dbt.build(settings, arguments, url=None, variables=variables, on_line=ignored))
    found.figures["file MiB"] = settings.duckdb_path.stat().st_size / MIB / MIB
    with duckdb.connect(str(settings.duckdb_path), read_only=True) as connection:
        found.rows = sum(_count(connection.execute(COUNT.format(name)).fetchall()) for name in _names(connection))
    return found


def _load_postgres(settings: Settings, bench: Bench, day: date) -> Measurement:
    with bench.measured(WHOLE) as found:
        bench.load(WHOLE, day, bench.size.loaded)
    return _with_rows(found, _postgres_rows(settings, bench, WHOLE))


def _postgres_rows(settings: Settings, bench: Bench, database: str) -> int:
    """Return the rows of the tables of a database that the file has too."""
    with duckdb.connect(str(settings.duckdb_path), read_only=True) as file:
        names = _names(file)
    with connect(bench.admin_url(database)) as connection:
        return sum(_count(connection.execute(COUNT.format(name)).fetchall()) for name in names)


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute("select table_name from information_schema.tables where table_schema = 'insights'")
    return [name for (name,) in found.fetchall()]


def _count(rows: list[tuple[int, ...]]) -> int:
    return rows[0][0]


def _with_rows(found: Measurement, rows: int) -> Measurement:
    return replace(found, rows=rows)


def _checked(compared: Comparison) -> Comparison:
    if compared.work[-1].rows != compared.floor[-1].rows:
        raise BenchmarkError(
            f"{NAME}, {compared.title}: DuckDB has {compared.work[-1].rows} rows, PostgreSQL {compared.floor[-1].rows}."
        )
    return compared


@contextmanager
def peak_memory(found: Measurement) -> Iterator[None]:
    """Add the greatest resident memory of a child process during a block, in MiB, to what is measured."""
    ended, most = threading.Event(), [0]

    def watch() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            most.append(max((_resident(process) for process in children(os.getpid())), default=0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        found.figures["memory MiB"] = max(most) / MIB


def _resident(process: int) -> int:
    """Return the greatest resident memory of a process so far, in KiB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
