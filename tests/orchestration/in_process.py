"""dbt in the process of the tests, for those that build often: Python starts once, and the project is parsed once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner
from warehouse import DbtResult, Warehouse

from orchestration import dbt
from orchestration.config.files import PROJECT, dbt_variables
from orchestration.operational.sample import SAMPLE_AS_OF
from orchestration.warehouse.connection import child_environment

PLACES = ("--profiles-dir", str(PROJECT / "profiles"), "--project-dir", str(PROJECT), "--quiet")


@dataclass(frozen=True)
class InProcess:
    """dbt on the manifest of one warehouse; it neither locks nor updates the profiles, as `Warehouse.build` does."""

    warehouse: Warehouse
    target: Path
    runner: dbtRunner

    @classmethod
    def of(cls, warehouse: Warehouse, target: Path) -> InProcess:
        """Parse the project for a warehouse; the manifest bears the name of its database, but no variable's value."""
        with _environment(warehouse, target):
            parsed = dbtRunner().invoke(["parse", *PLACES])
        assert parsed.success, parsed.exception
        return cls(warehouse, target, dbtRunner(manifest=parsed.result))  # type: ignore[arg-type]

    def build(self, *arguments: str, as_of: date = SAMPLE_AS_OF, **variables: Any) -> DbtResult:
        """`dbt build` as the ETL role, with the configuration's variables and these."""
        given: dict[str, Any] = dbt_variables(self.warehouse.settings) | dbt.as_of_variable(as_of) | variables
        with _environment(self.warehouse, self.target):
            done = self.runner.invoke(["build", *arguments, *PLACES, "--no-write-json", "--vars", json.dumps(given)])
        messages = [f"{r.node.name}: {r.message}" for r in getattr(done.result, "results", ()) if r.message]
        return DbtResult(done.success, "\n".join([str(done.exception or ""), *messages]))


@contextmanager
def _environment(warehouse: Warehouse, target: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in child_environment(warehouse.etl_url, {"DBT_TARGET_PATH": str(target)}).items():
            patch.setenv(name, value)
        yield
