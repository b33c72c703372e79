"""The first build and daily loads, against a psql script that computes four of the tables: `sql/floor_*.sql`."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from psycopg import sql

from benchmarks.errors import BenchmarkError
from benchmarks.measure import Comparison, Measurement, failing, once
from benchmarks.services import BUILT, GENERATED, Bench
from benchmarks.sizes import FIRST_DAY
from orchestration import dbt
from orchestration.warehouse.connection import connect
from workshop.services.binaries import postgres_programs

NAME, WHOLE = "build", "build_whole"  # also databases
MARTS = ("dim_tasks", "fact_tasks", "dim_cases", "fact_cases")
# The history of statuses shares the delta table of the tasks: until it is loaded too, each load reads all tasks.
FOUR_TABLES = ["build", *dbt.NO_TESTS, "--select", *(f"+{name}" for name in (*MARTS, "fact_task_statuses"))]
COLUMNS = """
    select column_name::text from information_schema.columns
    where table_schema = %s and table_name = %s and column_name <> 'loaded_at' order by 1
"""
DIFFERENT_ROWS = """
    select
        (select count(*) from (select {columns} from insights.{mart} except select {columns} from floor.{mart}) as w)
        + (select count(*) from (select {columns} from floor.{mart} except select {columns} from insights.{mart}) as f)
"""


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield the first builds of the four tables and of everything, then the daily loads of both.

    The floor of everything is that of the four tables, so its ratio says only how much more everything costs.
    """
    compare = partial(Comparison, NAME, size=bench.size, floor_name="psql, four tables")
    first = compare("first build, four tables", is_same=True)
    first_whole = compare("first build, everything")
    daily = compare("daily load, four tables", is_same=True)
    daily_whole = compare("daily load, everything with its tests")
    bench.copy(GENERATED, NAME)
    yield _compare(bench, first, "floor_first.sql", FIRST_DAY)
    with failing(first_whole, "work"):
        first_whole.work.append(bench.build())
    bench.copy(BUILT, WHOLE)
    with failing(first_whole, "floor"):
        first_whole.floor.append(_psql(bench, WHOLE, "floor_first.sql", FIRST_DAY))
    yield first_whole
    for number in range(1, bench.size.repeats + 1):
        day = FIRST_DAY + timedelta(days=number)
        for name in (NAME, WHOLE):
            bench.vacuum(name)
            bench.touch(name, day)
        _compare(bench, daily, "floor_daily.sql", day)
        once(daily_whole, partial(_everything, bench, day), partial(_psql, bench, WHOLE, "floor_daily.sql", day))
    yield from (daily, daily_whole)
    bench.drop(NAME)
    bench.drop(WHOLE)


def _compare(bench: Bench, compared: Comparison, script: str, day: date) -> Comparison:
    """Load the four tables on both sides, and check that their rows agree."""
    once(compared, partial(_four_tables, bench, day), partial(_psql, bench, NAME, script, day))
    with connect(bench.admin_url(NAME)) as connection:
        connection.execute("set work_mem = '256MB'")
        for mart in MARTS:
            names, in_floor = (
                [name for (name,) in connection.execute(COLUMNS, [schema, mart])] for schema in ("insights", "floor")
            )
            if names != in_floor:
                raise BenchmarkError(
                    f"{NAME}, {compared.title}: {mart} has the columns {sorted({*names} ^ {*in_floor})} on one side"
                    " only. Extend benchmarks/sql/floor_first.sql."
                )
            columns = sql.SQL(", ").join(map(sql.Identifier, names))
            query = sql.SQL(DIFFERENT_ROWS).format(columns=columns, mart=sql.Identifier(mart))
            if (different := connection.execute(query).fetchall()) != [(0,)]:
                raise BenchmarkError(
                    f"{NAME}, {compared.title}: {different[0][0]} rows of {mart} differ between dbt and the floor."
                )
    return compared


def _four_tables(bench: Bench, day: date) -> Measurement:
    return _loaded(bench, NAME, partial(bench.dbt, NAME, FOUR_TABLES, day))


def _everything(bench: Bench, day: date) -> Measurement:
    return _loaded(bench, WHOLE, partial(bench.load, WHOLE, day))


def _loaded(bench: Bench, name: str, load: Callable[[], dbt.DbtRun]) -> Measurement:
    """Run a load on a database; `rows` are those written into the four tables, `figures` those of its last command."""
    moment = _now(bench, name)
    with bench.measured(name) as found:
        done = load()
    found.rows = _written(bench, name, "insights", moment)
    found.figures = _seconds(done)
    return found


def _psql(bench: Bench, name: str, script: str, day: date) -> Measurement:
    """Run a script of the floor; raises BenchmarkError with psql's message."""
    path = Path(__file__).parent / "sql" / script
    moment = _now(bench, name)
    psql = str(postgres_programs() / "psql")
    with bench.measured(name) as found:
        command = [psql, bench.admin_url(name), "-X", "-q", "-v", f"as_of={day}", "-f", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{script}: {done.stderr.strip()}")
    found.rows = _written(bench, name, "floor", moment)
    return found


def _seconds(done: dbt.DbtRun) -> dict[str, float]:
    """Return the seconds of a dbt command, summed over its models or over its tests, which run in parallel."""
    report = json.loads((done.target / "run_results.json").read_text(encoding="utf-8"))
    found = Counter[str]()
    for result in report["results"]:
        found["tests s" if result["unique_id"].startswith("test.") else "models s"] += result["execution_time"]
    return dict(found)


def _now(bench: Bench, name: str) -> str:
    with connect(bench.admin_url(name)) as connection:
        (moment,) = connection.execute("select clock_timestamp()::text").fetchall()[0]
    return str(moment)


def _written(bench: Bench, name: str, schema: str, moment: str) -> int:
    """Return the rows of the four tables that were written since a moment."""
    with connect(bench.admin_url(name)) as connection:
        queries = [
            sql.SQL("select count(*) from {} where loaded_at >= %s").format(sql.Identifier(schema, mart))
            for mart in MARTS
        ]
        return sum(int(connection.execute(query, [moment]).fetchall()[0][0]) for query in queries)
