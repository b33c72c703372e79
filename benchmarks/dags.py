"""Importing the DAG file, against importing Airflow alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from benchmarks.errors import BenchmarkError
from benchmarks.measure import Comparison, Measurement, client_only, in_turn
from benchmarks.services import Bench
from orchestration.config.files import PROJECT
from orchestration.manifest import write_manifest

NAME = "dags"
IMPORT = "import airflow; from airflow.models.dagbag import DagBag"
# Prints the processor seconds of the first and of the second import of the file in one process.
PARSE = f"""
{IMPORT}
import sys, time
for name in ("cold", "warm"):
    started = time.process_time()
    bag = DagBag(sys.argv[1], include_examples=False)
    assert bag.dags and not bag.import_errors, bag.import_errors
    print(name, len(bag.dags), time.process_time() - started)
"""


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield the import of the file in a new process."""
    write_manifest(bench.settings)
    compared = Comparison(NAME, "DAG file", bench.size, "import airflow")
    yield in_turn(compared, bench.size.repeats, partial(_python, bench, PARSE), partial(_python, bench, IMPORT))


def _python(bench: Bench, program: str) -> Measurement:
    """Run a program in a new process; `rows` are the DAGs that it found."""
    variables = {
        "AIRFLOW_HOME": str(bench.folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__COSMOS__ENABLE_CACHE": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{bench.folder / 'airflow.db'}",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    command = [sys.executable, "-c", program, str(PROJECT / "dags")]
    with client_only() as found:
        done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(done.stderr.strip())
    for line in done.stdout.splitlines():
        match line.split():
            case [("cold" | "warm") as name, dags, seconds]:
                found.rows = int(dags)
                found.figures[f"{name} import, processor s"] = float(seconds)
    return found
