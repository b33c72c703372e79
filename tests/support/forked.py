"""A load in a process of its own that starts at once: a copy of the process of the test, which has read the project.

Tests of what separate processes do to each other use it. Those of the command and of dbt's process start the command.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from support import in_process
from support.warehouse import Warehouse

from orchestration import dbt
from orchestration.errors import InsightsError

_FORK = get_context("fork")


class ForkedBuild:
    """What `insights build` does, while the test goes on. dbt is in its process, and ends with it."""

    def __init__(self, warehouse: Warehouse, *arguments: str, as_of: date) -> None:
        """Start it. The project is parsed before, so that no build parses it again."""
        assert warehouse.settings.insights.warehouse.schema_name == "insights"  # as this process parses it
        in_process.parsed(warehouse.settings.environment, "insights")
        self._folder = TemporaryDirectory()
        self._output = Path(self._folder.name) / "output"
        self._process = _FORK.Process(target=_build, args=(warehouse, arguments, as_of, self._output), daemon=True)
        self._process.start()

    @property
    def exit_code(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return self._process.exitcode

    def kill(self) -> None:
        """Kill it, which leaves its sessions to the server."""
        self._process.kill()
        self._process.join()

    def wait(self) -> tuple[int, str]:
        """Return its exit code and its output when it has ended."""
        self._process.join(300)
        code = self._process.exitcode
        assert code is not None, "the build does not end"
        return code, self._output.read_text("utf-8")


def _build(warehouse: Warehouse, arguments: Sequence[str], as_of: date, output: Path) -> None:
    os.environ["DBT_TARGET_PATH"] = str(output.parent / "target")  # two builds must not write one run_results.json
    lines: list[str] = []
    variables, url = dbt.as_of_variable(as_of), warehouse.etl_url
    try:
        done = dbt.build(warehouse.settings, arguments, url=url, variables=variables, on_line=lines.append)
        code = done.exit_code
    except InsightsError as error:
        lines.append(str(error))
        code = 1
    except Exception:
        lines.append(traceback.format_exc())
        code = 2
    output.write_text("".join(lines), "utf-8")
    sys.exit(code)
