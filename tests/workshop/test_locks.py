"""The locks are for Python 3.11 and 3.12: the same versions, and Airflow 2.8 for 3.11 only (decision D289)."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from orchestration.config.files import PROJECT

LOCKS = PROJECT / "requirements"
# Of one resolution; the others have their own: what installs, what audits, Airflow 3, and PostgreSQL.
RESOLVED = (
    "runtime",
    "airflow",
    "celery",
    "s3",
    "metrics",
    "api",
    "charts",
    "duckdb",
    "replicate",
    "formats",
    "local",
    "dev",
)
OF_AIRFLOW = {"apache-airflow", "astronomer-cosmos", "celery", "flower", "gunicorn"}


def requirements(lock: str, python: str = "") -> list[Requirement]:
    """Return the requirements of a lock that the Python of this version installs; without a version, all."""
    text = (LOCKS / f"{lock}.txt").read_text("utf-8")
    found = [Requirement(line.removesuffix("\\")) for line in re.findall(r"^[a-z0-9].*$", text, re.M)]
    place = {"python_version": python, "python_full_version": f"{python}.7"}
    return [one for one in found if not (python and one.marker) or one.marker.evaluate(place)]


def names(lock: str, python: str) -> set[str]:
    return {one.name for one in requirements(lock, python)}


def test_a_library_has_one_version_in_all_locks() -> None:
    versions: dict[str, set[str]] = {}
    for lock in RESOLVED:
        for one in requirements(lock):
            if one.url is None:
                versions.setdefault(one.name, set()).add(str(one.specifier))
    assert {name: found for name, found in versions.items() if len(found) != 1} == {}
    assert versions["dbt-core"] <= {str(one.specifier) for one in requirements("airflow3")}


@pytest.mark.parametrize(
    "lock", ["runtime", "api", "charts", "duckdb", "formats", "metrics", "replicate", "s3", "local"]
)
def test_a_lock_without_airflow_has_the_same_libraries_for_both_pythons(lock: str) -> None:
    assert names(lock, "3.11") == names(lock, "3.12")


@pytest.mark.parametrize("lock", ["airflow", "celery", "dev"])
def test_airflow_is_locked_for_python_3_11_only(lock: str) -> None:
    installed = OF_AIRFLOW if lock != "airflow" else OF_AIRFLOW - {"celery", "flower"}
    assert names(lock, "3.11") >= installed
    assert {one.name for one in requirements(lock, "3.12") if one.url is None} & OF_AIRFLOW == set()
    assert names(lock, "3.12") >= names("runtime", "3.12")


@pytest.mark.parametrize("lock", ["airflow", "celery"])
def test_asking_for_airflow_with_python_3_12_says_what_to_install(lock: str, tmp_path: Path) -> None:
    (refused,) = [one for one in requirements(lock) if one.url]
    assert str(refused.marker) == 'python_full_version >= "3.12"'
    assert refused.name not in {one.name for one in requirements(lock, "3.12") if not one.url}
    # What pip does with this line where its marker holds.
    asked = tmp_path / "airflow.txt"
    asked.write_text(f"{refused.name} @ {refused.url}\n", "utf-8")
    command = ("-m", "pip", "install", "--dry-run", "--no-deps", "--no-index", "--require-hashes", "-r", str(asked))
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Airflow 2.8 needs Python 3.11. With 3.12, install requirements/airflow3.txt" in done.stderr
    assert (LOCKS / "airflow3.txt").exists()


def test_both_packages_and_the_script_have_the_same_pythons() -> None:
    declared = {
        tomllib.loads((PROJECT / file).read_text("utf-8"))["project"]["requires-python"]
        for file in ("pyproject.toml", "workshop/pyproject.toml")
    }
    (pythons,) = re.findall(r"^PYTHONS=\((.*?)\)", (PROJECT / "dev").read_text("utf-8"), re.M)
    assert (declared, pythons) == ({">=3.11,<3.13"}, "3.11 3.12")
