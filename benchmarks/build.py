"""Time the first build and daily loads of the warehouse against psql scripts that write the same rows.

Starts a private PostgreSQL in a temporary folder, fills it with generate.py, prints one Markdown table and removes
everything afterwards. README.md explains the comparison and the table.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import click
import generate
from psycopg import sql

from orchestration import dbt
from orchestration.config.files import Settings, load_settings
from orchestration.dbt import NO_UNIT_TESTS
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services import LocalPostgres, remove_state, state_root
from workshop.services.binaries import postgres_programs

HERE = Path(__file__).parent
FIRST_DAY = date(2026, 1, 1)
SHARE = 0.001  # share of the tasks that change per day

# Both sides use the same server. Commits wait for the disk, as in production. The benchmark vacuums between the loads,
# because autovacuum would run at arbitrary times.
SERVER = {
    "shared_buffers": "2GB",
    "effective_cache_size": "8GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "512MB",
    "random_page_cost": "1.1",
    "max_wal_size": "8GB",
    "wal_level": "replica",
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "off",
}

MARTS = ("dim_tasks", "fact_tasks", "dim_cases", "fact_cases")
SAME_TABLES = ["run", "--select", *(f"+{name}" for name in MARTS)]
EVERYTHING = ["build", *NO_UNIT_TESTS]

# loaded_at differs between the sides.
COLUMNS = """
select column_name from information_schema.columns
where table_schema = 'insights' and table_name = %s and column_name <> 'loaded_at'
"""
DIFFERENT_ROWS = """
select
    (select count(*) from (select {columns} from insights.{mart} except select {columns} from baseline.{mart}) as d)
    + (select count(*) from (select {columns} from baseline.{mart} except select {columns} from insights.{mart}) as p)
"""


@dataclass(frozen=True)
class Load:
    """One load by one side, in seconds.

    `start` is the start-up time of dbt; `models` and `tests` are sums over nodes that run in parallel.
    """

    wall: float
    server_cpu: float
    rows: int
    start: float = 0.0
    models: float = 0.0
    tests: float = 0.0


@dataclass
class Comparison:
    """The corresponding loads of both sides, in the order in which they ran."""

    title: str
    psql: list[Load] = field(default_factory=list)
    dbt: list[Load] = field(default_factory=list)


class Bench:
    """A private server with the generated database, and the loads to time on it."""

    def __init__(self, server: LocalPostgres, settings: Settings) -> None:
        """Use a running server."""
        self._server = server
        self._settings = settings
        self._postmaster = int((server.socket_dir / "data" / "postmaster.pid").read_text().split()[0])
        self.database = "generated"

    @property
    def admin_url(self) -> str:
        """URL of the database for its superuser."""
        return self._server.url(self.database, "postgres")

    def fill(self, tasks: int) -> None:
        """Generate the operational tables and run `insights init`."""
        self._server.create_database(self.database)
        with connect(self.admin_url, autocommit=True) as connection:
            generate.fill(connection, tasks, organizations=100, as_of=FIRST_DAY)
            initialize(connection, self._settings)
            # The data ends at FIRST_DAY, so the profiles must have been configured before.
            connection.execute("update insights_ops.profiles set updated_at = '2024-01-01'")
        self.vacuum()

    def copy(self, name: str) -> None:
        """Switch to a new copy of the generated database in the state after `insights init`."""
        with connect(self._server.url("postgres", "postgres"), autocommit=True) as connection:
            if self.database != "generated":
                connection.execute(f'drop database "{self.database}"'.encode())
            connection.execute(f'create database "{name}" template generated strategy file_copy'.encode())
        self.database = name

    def touch(self, as_of: date) -> None:
        """Generate the changes of the day before `as_of`; statistics are not updated, as in production."""
        with connect(self.admin_url, autocommit=True) as connection:
            generate.touch(connection, SHARE, as_of)

    def vacuum(self) -> None:
        """Vacuum and analyze in place of autovacuum, and write a checkpoint."""
        with connect(self.admin_url, autocommit=True) as connection:
            connection.execute("vacuum analyze")
            connection.execute("checkpoint")

    def run_psql(self, script: str, as_of: date) -> Load:
        """Time a psql script. Raises ClickException with psql's message when it fails."""
        psql = str(postgres_programs() / "psql")
        command = [psql, self.admin_url, "-X", "-v", f"as_of={as_of}", "-f", str(HERE / script)]
        with self._timed() as seconds:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise click.ClickException(f"{script}: {done.stderr.strip()}")
        is_merge = "MERGE" in done.stdout
        pattern = r"^MERGE (\d+)$" if is_merge else r"^SELECT (\d+)$"
        rows = sum(int(count) for count in re.findall(pattern, done.stdout, re.MULTILINE))
        # baseline_first.sql also creates the one row of `clock`.
        return Load(*seconds(), rows if is_merge else rows - 1)

    def run_dbt(self, command: Sequence[str], as_of: date) -> Load:
        """Time a dbt command as `insights build` runs it.

        Raises ClickException with the last lines of dbt's output when it fails.
        """
        lines: list[str] = []
        url = self._server.url(self.database, self._settings.insights.warehouse.write_user)
        variables = dbt.as_of_variable(as_of)
        with self._timed() as seconds:
            run = dbt.write(self._settings, command, url=url, variables=variables, on_line=lines.append)
        if run.exit_code:
            raise click.ClickException("dbt failed:\n" + "".join(lines[-40:]))
        wall, server_cpu = seconds()
        report = json.loads((run.target / "run_results.json").read_text(encoding="utf-8"))
        spent = Counter[str]()
        for result in report["results"]:
            kind = result["unique_id"].split(".")[0]
            spent["tests" if kind == "test" else "models"] += result["execution_time"]
        written = run.rows_written()
        rows = sum(written.get(name, 0) for name in MARTS)
        return Load(wall, server_cpu, rows, wall - report["elapsed_time"], spent["models"], spent["tests"])

    def check(self, compared: Comparison) -> None:
        """Raise ClickException unless both sides have the same rows and wrote equally many in their last load."""
        with connect(self.admin_url) as connection:
            connection.execute("set work_mem = '1GB'")
            for mart in MARTS:
                names = [name for (name,) in connection.execute(COLUMNS, [mart])]
                columns = sql.SQL(", ").join(map(sql.Identifier, names))
                query = sql.SQL(DIFFERENT_ROWS).format(columns=columns, mart=sql.Identifier(mart))
                (different,) = connection.execute(query).fetchone() or (None,)
                if different != 0:
                    raise click.ClickException(f"{compared.title}: {different} rows of {mart} differ between the sides")
        if compared.psql[-1].rows != compared.dbt[-1].rows:
            raise click.ClickException(
                f"{compared.title}: psql wrote {compared.psql[-1].rows} rows, dbt {compared.dbt[-1].rows}"
            )

    @contextmanager
    def _timed(self) -> Iterator[Callable[[], tuple[float, float]]]:
        """Yield a function that returns the block's wall seconds and the server's CPU seconds."""
        spent: list[float] = []
        time.sleep(1)  # a backend's CPU time counts only once it has ended
        cpu, started = self._server_cpu(), time.monotonic()
        yield lambda: (spent[0], spent[1])
        wall = time.monotonic() - started
        time.sleep(1)
        spent += [wall, self._server_cpu() - cpu]

    def _server_cpu(self) -> float:
        """Return the CPU seconds of the server's main process and of its ended children."""
        fields = Path(f"/proc/{self._postmaster}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def compare(bench: Bench, compared: Comparison, script: str, command: Sequence[str], as_of: date) -> None:
    """Run one load on both sides, in the reverse order of the previous one, and check that the results agree."""
    is_dbt_first = len(compared.dbt) % 2 == 1
    if is_dbt_first:
        compared.dbt.append(bench.run_dbt(command, as_of))
    compared.psql.append(bench.run_psql(script, as_of))
    if not is_dbt_first:
        compared.dbt.append(bench.run_dbt(command, as_of))
    bench.check(compared)
    print(f"{compared.title}: psql {compared.psql[-1].wall:.1f} s, dbt {compared.dbt[-1].wall:.1f} s", flush=True)


def measure(bench: Bench, repeats: int) -> list[Comparison]:
    """Run all loads; the daily loads continue from the first build of everything."""
    first = Comparison("first build, the four tables")
    first_whole = Comparison("first build, everything with tests")
    daily = Comparison("daily load, the four tables")
    daily_whole = Comparison("daily load, everything with tests")
    again = Comparison("the same day again, the four tables")
    bench.copy("first")
    compare(bench, first, "baseline_first.sql", SAME_TABLES, FIRST_DAY)
    bench.copy("whole")
    compare(bench, first_whole, "baseline_first.sql", EVERYTHING, FIRST_DAY)
    day = FIRST_DAY
    for _ in range(repeats):
        for compared, command in ((daily, SAME_TABLES), (daily_whole, EVERYTHING)):
            bench.vacuum()
            day += timedelta(days=1)
            bench.touch(day)
            compare(bench, compared, "baseline_daily.sql", command, day)
            if compared is daily:
                compare(bench, again, "baseline_daily.sql", command, day)
    return [first, first_whole, daily, daily_whole, again]


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Return the median of the values and, when there are several, their minimum and maximum."""
    median = f"{statistics.median(values):,.{digits}f}"
    return median if len(values) == 1 else f"{median} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def table(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield the lines of the Markdown table."""
    yield "| load | by | wall s | dbt start s | models s | tests s | server CPU s | rows written | dbt / psql |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for compared in comparisons:
        ratios = [
            dbt_load.wall / psql_load.wall for dbt_load, psql_load in zip(compared.dbt, compared.psql, strict=True)
        ]
        for side, loads in (("psql", compared.psql), ("dbt", compared.dbt)):
            cells = [compared.title, side, spread([load.wall for load in loads])]
            for part in ("start", "models", "tests"):
                values = [getattr(load, part) for load in loads]
                cells.append(spread(values) if any(values) else "")
            cells.append(spread([load.server_cpu for load in loads]))
            cells.append(spread([load.rows for load in loads], 0))
            cells.append(spread(ratios) if side == "dbt" else "")
            yield f"| {' | '.join(cells)} |"


@click.command(help=__doc__)
@click.option(
    "--tasks",
    type=click.IntRange(min=generate.SMALLEST),
    default=1_000_000,
    show_default=True,
    help="Tasks to generate.",
)
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True, help="Number of daily loads.")
def main(tasks: int, repeats: int) -> None:
    """Start the server, measure, print the table and remove everything."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # run the cleanup on SIGTERM, too
    with tempfile.TemporaryDirectory(prefix="orgo-insights-bench-") as folder:
        os.environ |= {"DBT_TARGET_PATH": f"{folder}/target", "DBT_LOG_PATH": f"{folder}/logs"}
        state = state_root(Path(folder))
        server = LocalPostgres(state, SERVER)
        try:
            with redirect_stdout(sys.stderr):
                server.start()
                bench = Bench(server, load_settings())
                bench.fill(tasks)
                comparisons = measure(bench, repeats)
        finally:
            server.stop()
            remove_state(state)
    print("\n".join(table(comparisons)))
    busy = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"\n{tasks:,} tasks, {os.cpu_count()} cores, load average at the end {busy}")


if __name__ == "__main__":
    main()
