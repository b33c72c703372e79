"""`--help` answers at once: what a command needs is imported when it runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"airflow", "boto3", "cosmos", "dbt", "psycopg", "pydantic", "redis", "yaml"}
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
