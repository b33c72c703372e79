"""Starting `insights --help` and a cached `insights dashboard`, against Python with the one library that each needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.measure import Comparison, Measurement, client_only, in_turn
from benchmarks.questions import ROLES, VISIBILITIES
from benchmarks.services import BUILT, Bench
from orchestration.warehouse.connection import connect

NAME = "startup"
INSIGHTS = str(Path(sys.executable).with_name("insights"))
HELP_FLOOR = "import click"
GET_FLOOR = """
import sys, click, redis
redis.Redis.from_url(sys.argv[1]).get("insights")
"""
REPEATS = 5  # a process is cheap


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield the help, then a dashboard whose answer is cached."""
    repeats = 1 if bench.size.is_smallest else REPEATS
    compared = Comparison(NAME, "insights --help", bench.size, "import click")
    floor = [sys.executable, "-c", HELP_FLOOR]
    yield in_turn(compared, repeats, partial(_process, [INSIGHTS, "--help"]), partial(_process, floor))

    bench.copy(BUILT, NAME)
    with connect(bench.admin_url(NAME)) as connection:
        query = "select slug from organizations order by slug limit 1"
        slug = str(connection.execute(query).fetchall()[0][0])
    os.environ["INSIGHTS_WAREHOUSE_URL"] = bench.reader_url(NAME)
    sees = [word for visibility in VISIBILITIES for word in ("--visibility", visibility)]
    work = [INSIGHTS, "dashboard", "task_volume", "--org", slug, "--as", ROLES[0], *sees]
    _process(work)  # fills the cache
    compared = Comparison(NAME, "insights dashboard, cached", bench.size, "import click, redis; GET")
    floor = [sys.executable, "-c", GET_FLOOR, bench.cache.url()]
    yield in_turn(compared, repeats, partial(_process, work), partial(_process, floor))
    bench.drop(NAME)


def _process(command: list[str]) -> Measurement:
    with client_only() as found:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command[:3])}: {done.stderr.strip()}")
    return found
