"""Turns dbt's models into Airflow tasks: Cosmos selects and links the models of the manifest; each is a DbtOperator.

Cosmos implements a part of dbt's selection syntax itself; a test compares its selection with dbt's. A selector is
resolved here, by Cosmos's own parser, because `RenderConfig(selector=...)` caches it in an Airflow Variable, so that
parsing a DAG would need the metadata database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosmos.airflow.task_group import DbtTaskGroup
from cosmos.config import ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import DbtResourceType, LoadMode, TestBehavior
from cosmos.dbt.graph import DbtNode
from cosmos.dbt.selector import YamlSelectors

from orchestration.config.files import PROJECT
from orchestration.dags.airflow_versions import IS_AIRFLOW_2, BaseOperator
from orchestration.dags.operators import DbtOperator
from orchestration.manifest import PACKAGE, manifest_file
from orchestration.runs.work import BUILD_MODELS, dbt_command

# Cosmos for Airflow 3 has to be told that a selector it cannot parse is an error; for Airflow 2.8 it always is.
STRICTLY: Mapping[str, Any] = {} if IS_AIRFLOW_2 else {"lax_parsing_enabled": False}


def model_tasks(group_id: str, selector: str, manifest: Mapping[str, Any]) -> DbtTaskGroup:
    """Return a group with a `dbt build` for each model of a selector, in the order of their refs.

    It must be called inside a DAG.
    """
    selection = YamlSelectors.parse(manifest["selectors"], **STRICTLY).get_parsed(selector)

    def task(*, dag: Any, task_group: Any, node: DbtNode, **_: Any) -> BaseOperator:
        name = node.unique_id.split(".")[-1]
        return DbtOperator(
            task_id=name,
            dag=dag,
            task_group=task_group,
            command=[*BUILD_MODELS, "--select", name],
            unique_id=node.unique_id,
        )

    return DbtTaskGroup(
        group_id=group_id,
        project_config=_project(),
        # Cosmos requires both for its own operators, which are not used here.
        profile_config=ProfileConfig(PACKAGE, "dev", profiles_yml_filepath=PROJECT / "profiles.yml"),
        execution_config=ExecutionConfig(),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            select=selection["select"] or [],
            exclude=selection["exclude"] or [],
            test_behavior=TestBehavior.NONE,
            emit_datasets=False,
            node_converters={DbtResourceType.MODEL: task},
        ),
    )


def _project() -> ProjectConfig:
    project = ProjectConfig(PROJECT, project_name=PACKAGE, install_dbt_deps=False)
    # As an argument it would become an ObjectStoragePath, which imports the file systems of all of Airflow's providers.
    project.manifest_path = manifest_file()
    return project


def dbt_task(task_id: str, command: str, selector: str, *, checks_rows: bool = False) -> BaseOperator:
    """Return a task that runs one dbt command over a selector; the selector also chooses tests over several models.

    With `checks_rows`, it first checks that the source has not lost too many rows.
    """
    return DbtOperator(task_id=task_id, command=dbt_command(command, selector), checks_rows=checks_rows)
