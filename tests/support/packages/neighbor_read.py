"""Reads a copy of the project with another package once: `python -m support.packages.neighbor_read`."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from dbt.cli.main import dbtRunner
from support import in_process, saved_parse

from orchestration import dbt, manifest
from orchestration.config.files import load_settings


def read(url: str, plain: dict[str, str], as_of: str, selectors: list[str]) -> dict[str, Any]:
    """Write the manifest, and save the parsed project for loads as of a day: by `insights`, and by a plain dbt.

    `plain` are the environment variables of the plain dbt. Returns what `dbt ls` lists for each selector, and what
    Python sees of the manifest.
    """
    settings = load_settings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dbt, "run_dbt", in_process.run_dbt)
        manifest.write_manifest(settings)
    saved_parse.save_for_insights(settings, url, as_of=as_of)
    saved_parse.save(plain, "--vars", f"{{as_of: {as_of}}}")
    runner = dbtRunner(in_process.parsed(settings.environment, settings.insights.warehouse.schema_name))
    listed = {name: runner.invoke(["ls", "--log-level", "none", "--selector", name]).result for name in selectors}
    found = manifest.read_manifest(settings)
    seen = manifest.relations(found)
    return {
        "listed": listed,
        "is_in_manifest": "model.neighbor.fct_models" in found["nodes"],
        "schema": seen["rejects"].schema,
        "is_relation": "fct_models" in seen,
        "is_mart": "fct_models" in manifest.marts(found),
    }


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], sys.argv[4:])))  # noqa: T201 - its answer
