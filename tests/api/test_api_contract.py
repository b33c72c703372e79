"""Schemathesis sends what the OpenAPI document allows, and what it forbids, to a running service."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.api.server import Api, running
from support.api.tokens import SECRET, token
from support.dashboards.dashboard_scenario import HOSPITAL
from support.warehouse import Warehouse

from workshop.services import LocalRedis

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
MANY = 1_000_000
CONFIGURATION = """
[parameters]
"path.organization_id" = "{organization}"
"path.pattern_id" = "{pattern}"
"""
# JSON Schema cannot say that two names of a parameter must agree, that a period must not end before it begins, that the
# anonymised form has no visibilities, or that a cursor must come from a page. Only these may refuse what it allows.
DEPENDENT = ("^/insights/", "/dashboards/open_patterns$", "/patterns$")
ALLOWANCE = """
[[operations]]
include-path-regex = "{path}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "403", "404", "422"]
"""


@pytest.fixture(scope="module")
def busy(sample: Warehouse, redis_of_module: LocalRedis) -> Iterator[Api]:
    """Yield a service that one user may ask as often as a machine does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
        with running(sample, redis_of_module, reports_api__requests_per_minute=MANY) as made:
            yield made


def test_every_answer_is_as_described(busy: Api, tmp_path: Path) -> None:
    id_ = busy.organization(HOSPITAL)
    pattern = busy.warehouse.value(
        "select pattern_id::text from insights.pattern_weekly where organization_id = %s and visibility = 'INTERNAL'",
        id_,
    )
    file = tmp_path / "schemathesis.toml"
    allowances = [ALLOWANCE.format(path=path) for path in DEPENDENT]
    file.write_text("".join([CONFIGURATION.format(organization=id_, pattern=pattern), *allowances]), "utf-8")
    command = [
        *(str(SCHEMATHESIS), f"--config-file={file}", "run", f"http://127.0.0.1:{busy.port}/openapi.json"),
        *("--header", f"Authorization: Bearer {token(id_)}"),
        *("--checks", "all", "--max-examples", "20", "--seed", "1", "--generation-database", "none", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
