"""Commands start at once: what a command needs is imported when it runs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.manifest import DIGEST, read_manifest
from workshop.services import LocalRedis

HEAVY = {"airflow", "boto3", "cosmos", "dbt", "psycopg", "pydantic", "redis", "rich", "yaml"}
PROGRAM = """
import sys
from {package}.cli import commands
commands.main({arguments!r}, standalone_mode=False)
print(*sys.modules, file=sys.stderr)
"""


def imported(package: str, *arguments: str) -> set[str]:
    """Return the top-level modules that a command line imports."""
    program = PROGRAM.format(package=package, arguments=list(arguments))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: ")
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("orchestration", ["--help"]),
        ("orchestration", ["dashboard", "--help"]),
        ("orchestration", ["build", "--help"]),
        ("orchestration", ["reviews", "--help"]),
        ("workshop", ["--help"]),
        ("workshop", ["airflow", "--help"]),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_help_imports_nothing_heavy(package: str, arguments: list[str]) -> None:
    found = imported(package, *arguments)
    assert "click" in found
    assert not found & HEAVY


def test_help_that_lists_tokens_imports_the_module_that_has_them() -> None:
    # The same look at the modules does find what is imported.
    assert "psycopg" in imported("orchestration", "patterns", "list", "--help")


CACHED = """
import sys
from orchestration.cli import commands
commands.main({arguments!r}, standalone_mode=False)
print("MODULES", *sys.modules, file=sys.stderr)
"""
# What a cached answer needs: the command line, the configuration, Redis, and PostgreSQL for the id of a slug.
OF_A_DASHBOARD = {"click", "orchestration", "psycopg", "pydantic", "redis", "yaml"}


@pytest.mark.services
def test_a_cached_dashboard_imports_no_tool(built: Warehouse, redis_server: LocalRedis) -> None:
    arguments = ["dashboard", "task_volume", "--org", "sample-hospital", "--as", "teacher"]
    arguments += ["--visibility", "PUBLIC", "--visibility", "INTERNAL"]
    variables = {"INSIGHTS_WAREHOUSE_URL": built.reader_url, "INSIGHTS_REDIS_URL": redis_server.url()}
    command = [sys.executable, "-c", CACHED.format(arguments=arguments)]
    for origin in ("computed and stored in the cache", "from the cache"):
        done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
        assert done.stderr.startswith(origin)
    modules = {name.partition(".")[0] for name in done.stderr.partition("MODULES ")[2].split()}
    assert modules >= OF_A_DASHBOARD
    assert not modules & (HEAVY - OF_A_DASHBOARD)


def test_the_manifest_has_only_what_is_read(settings: Settings) -> None:
    manifest = read_manifest(settings)
    assert list(manifest) == [DIGEST, "nodes", "sources", "exposures", "selectors"]
    kinds = {node["resource_type"] for node in manifest["nodes"].values()}
    assert kinds == {"model", "seed", "snapshot"}
    fields = {field for node in manifest["nodes"].values() for field in node}
    assert "columns" in fields
    assert not fields & {"raw_code", "compiled_code", "unrendered_config", "checksum"}
    columns = [column for node in manifest["nodes"].values() for column in node["columns"].values()]
    assert {field for column in columns for field in column} == {"name", "data_type", "config"}
