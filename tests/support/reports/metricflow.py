"""MetricFlow in a process of its own, which imports it and reads the project once for all questions."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner
from support import saved_parse


class MetricFlow:
    """What `mf query` answers in a project."""

    def __init__(self, process: ProcessPoolExecutor) -> None:
        self._process = process

    def ask(self, *options: str) -> list[dict[str, str]]:
        """Return the rows that `mf query OPTIONS` writes; raises RuntimeError with its output if it fails."""
        return self._process.submit(_query, options).result()


@contextmanager
def metricflow(project: Path, variables: Mapping[str, str]) -> Iterator[MetricFlow]:
    """Yield MetricFlow for a copy of the project, after `dbt parse` with these environment variables and no others."""
    saved_parse.save({**variables, "DBT_TARGET_PATH": str(project / "target")}, project=project)
    with ProcessPoolExecutor(1, get_context("spawn"), _begin, (project, dict(variables))) as process:
        yield MetricFlow(process)


def _begin(project: Path, variables: dict[str, str]) -> None:
    os.chdir(project)
    os.environ.clear()
    os.environ.update(variables)
    done = dbtRunner().invoke(["parse"])
    assert done.success, done.exception


def _query(options: tuple[str, ...]) -> list[dict[str, str]]:
    from dbt_metricflow.cli.main import cli  # noqa: PLC0415 - not in the process of the tests, for which it takes long

    answer, printed = Path("answer.csv"), StringIO()
    answer.unlink(missing_ok=True)
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            cli.main(["query", *options, "--csv", str(answer)], standalone_mode=False, obj=_configuration())
        except SystemExit as end:
            raise RuntimeError(printed.getvalue()) from end
    with answer.open(encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


@cache
def _configuration() -> Any:
    """Return what MetricFlow keeps from one question to the next: the project, and its session."""
    from dbt_metricflow.cli.cli_configuration import CLIConfiguration  # noqa: PLC0415 - as above

    return CLIConfiguration()
