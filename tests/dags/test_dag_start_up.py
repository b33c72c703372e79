"""The DAG file starts at once: what a step needs is imported when it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from orchestration.config.files import PROJECT, Settings
from orchestration.manifest import read_manifest

PARSED = """
import sys
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2.8
    from airflow.models.dagbag import DagBag
before = {*sys.modules}
bag = DagBag(sys.argv[1])
assert bag.dags and not bag.import_errors, bag.import_errors
print(*sorted({*sys.modules} - before))
"""
# Clients and tools that only a running step needs, and what Airflow imports to look for file systems of its providers.
OF_A_STEP = {"boto3", "dbt", "flask_appbuilder", "psycopg_pool", "redis"}


def test_the_dag_file_imports_what_no_step_has_begun_to_need(settings: Settings, tmp_path: Path) -> None:
    read_manifest(settings)
    variables = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__COSMOS__ENABLE_CACHE": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'airflow.db'}",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    command = [sys.executable, "-c", PARSED, str(PROJECT / "dags")]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
    modules = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"cosmos", "orchestration"} <= modules
    assert not modules & OF_A_STEP
