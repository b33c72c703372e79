"""dbt's models as Airflow tasks: Cosmos reads the manifest, selects and links; each task is a DbtOperator.

Cosmos selects from a manifest by itself, without dbt, and knows less than dbt; a test compares both. Its
`RenderConfig(selector=...)` works with a manifest too, but keeps what it parsed in an Airflow Variable, so that parsing
a DAG would need the metadata database. So a selector is taken apart here, by the same code of Cosmos.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.models.baseoperator import BaseOperator
from cosmos.airflow.task_group import DbtTaskGroup
from cosmos.config import ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import DbtResourceType, LoadMode, TestBehavior
from cosmos.dbt.graph import DbtNode
from cosmos.dbt.selector import YamlSelectors

from orchestration.config.files import PROJECT
from orchestration.dags.operators import DbtOperator
from orchestration.dbt import NO_UNIT_TESTS
from orchestration.manifest import manifest_file

# With the tests that read other models as well: the gate of a review has seen those.
BUILD_ONE = ("build", *NO_UNIT_TESTS, "--indirect-selection", "eager", "--select")


def model_tasks(group_id: str, selector: str, manifest: Mapping[str, Any]) -> DbtTaskGroup:
    """Make a group with a `dbt build` for each model of a selector, in the order of their refs; called inside a DAG."""
    selection = YamlSelectors.parse(manifest["selectors"]).get_parsed(selector)

    def task(*, dag: Any, task_group: Any, node: DbtNode, **_: Any) -> BaseOperator:
        name = node.unique_id.split(".")[-1]
        return DbtOperator(
            task_id=name, dag=dag, task_group=task_group, command=[*BUILD_ONE, name], unique_id=node.unique_id
        )

    return DbtTaskGroup(
        group_id=group_id,
        project_config=ProjectConfig(
            PROJECT, manifest_path=manifest_file(), project_name="orgo_insights", install_dbt_deps=False
        ),
        # Cosmos requires them for its own operators, which are not in use.
        profile_config=ProfileConfig("orgo_insights", "dev", profiles_yml_filepath=PROJECT / "profiles/profiles.yml"),
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


def dbt_task(task_id: str, command: str, selector: str) -> BaseOperator:
    """Make one dbt command over a selector, which also says which tests of several models belong to it."""
    without = () if command == "run" else NO_UNIT_TESTS
    return DbtOperator(task_id=task_id, command=[command, *without, "--selector", selector])
