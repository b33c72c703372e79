"""The weekly, monthly and yearly review, against one scan of the window's rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Comparison, Measurement, in_turn, tree_seconds
from benchmarks.services import BUILT, Bench
from benchmarks.sizes import FIRST_DAY
from orchestration.warehouse.connection import connect

NAME = "patterns"
MONTH_START = FIRST_DAY.replace(day=1)
REVIEWS = {"weekly": FIRST_DAY, "monthly": MONTH_START, "yearly": MONTH_START}
FILL = Path(__file__).parent / "sql" / "cases.sql"
# What any review must read of each case. The planner chooses how.
SCAN = """
    select count(*), count(label), count(location), sum(cardinality(source_keys)), max(severity), max(domain)
    from insights_staging.int_reported_cases
    where opened_at >= %(start)s::timestamp at time zone 'UTC' and opened_at < %(end)s::timestamp at time zone 'UTC'
"""
# Processor seconds of the server are counted in hundredths, which a single scan may not reach.
SCANNED_SECONDS = 0.5
# A second run keeps the stored patterns when the review's window is no longer complete.
RESET = """
    truncate insights.pattern_{0};
    delete from insights_ops.load_log where relation_name = 'pattern_{0}';
"""


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield a comparison for each cadence, on as many cases as the size has tasks."""
    bench.copy(BUILT, NAME)
    with connect(bench.admin_url(NAME), autocommit=True) as connection:
        connection.execute("select setseed(0.5)")
        connection.execute("select set_config('benchmark.cases', %s, false)", [str(bench.size.tasks)])
        connection.execute(FILL.read_bytes(), prepare=False)
    bench.vacuum(NAME)
    for cadence, review_date in REVIEWS.items():
        rule = getattr(bench.settings.insights.patterns, cadence)
        window = {"start": review_date - timedelta(days=rule.window_days), "end": review_date}
        compared = Comparison(NAME, f"{cadence} review", bench.size, "one scan of the window")
        yield in_turn(compared, bench.size.repeats, partial(_review, bench, cadence), partial(_scan, bench, window))
    bench.drop(NAME)


def _scan(bench: Bench, window: dict[str, date]) -> Measurement:
    """Scan again and again until the server has worked long enough for its clock; returns the mean of one scan."""
    scans, begun = 0, tree_seconds(bench.postmaster)
    with bench.measured(NAME) as found, connect(bench.etl_url(NAME)) as connection:
        while not scans or (not bench.size.is_smallest and tree_seconds(bench.postmaster) - begun < SCANNED_SECONDS):
            ((found.rows, *_),) = connection.execute(SCAN, window).fetchall()
            scans += 1
    one = found.divided_by(scans)
    one.figures = {"statement s": one.wall}
    return one


def _review(bench: Bench, cadence: str) -> Measurement:
    """Make the review of a cadence again; `rows` are its patterns."""
    with connect(bench.admin_url(NAME)) as connection:
        connection.execute(RESET.format(cadence).encode())
    with bench.measured(NAME) as found:
        done = bench.dbt(NAME, ["run", "--select", f"pattern_{cadence}"], FIRST_DAY, loads_source=False)
    report: dict[str, Any] = json.loads((done.target / "run_results.json").read_text(encoding="utf-8"))
    (model,) = (r["execution_time"] for r in report["results"] if r["unique_id"].startswith("model."))
    found.rows = done.rows_written().get(f"pattern_{cadence}", 0)
    found.figures = {"statement s": model}
    return found
