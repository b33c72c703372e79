"""Airflow and the DAGs of prod. It imports Airflow before the tests of this folder do: after its variables are set."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.airflow import airflow_dags
from support.airflow.task_log import TaskLog

from orchestration.config.files import Settings
from orchestration.manifest import manifest_file, read_manifest


@pytest.fixture(scope="session")
def manifest(settings: Settings) -> Path:
    """Return the path of a current manifest; other tests of this process may have written it."""
    read_manifest(settings)
    return manifest_file()


@pytest.fixture(scope="session")
def airflow(manifest: Path) -> None:
    """Prepare Airflow's metadata database and the manifest from which the DAGs are made."""
    airflow_dags.migrate()


@pytest.fixture(scope="session")
def dags_of_prod(manifest: Path) -> dict[str, airflow_dags.DAG]:
    """Return the DAGs of prod, parsed once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_ENV", "prod")
        return dict(airflow_dags.bag().dags)


@pytest.fixture
def prod(dags_of_prod: dict[str, airflow_dags.DAG], monkeypatch: pytest.MonkeyPatch) -> dict[str, airflow_dags.DAG]:
    """Return the DAGs of prod by id and set the environment to prod. Tests must not change the DAGs."""
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    return dags_of_prod


@pytest.fixture
def task_log(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> TaskLog:
    """Return the log of the steps that the test runs."""
    return TaskLog(caplog, capfd)
