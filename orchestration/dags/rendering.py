"""dbt's models as Airflow tasks: Cosmos reads the manifest, selects and links; each task is a DbtOperator.

Cosmos selects by itself from a manifest, without dbt, and knows less than dbt: selections are plain tags and paths, and
a test compares them with `dbt ls`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow.models.baseoperator import BaseOperator
from cosmos.airflow.task_group import DbtTaskGroup
from cosmos.config import ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import DbtResourceType, LoadMode, TestBehavior
from cosmos.dbt.graph import DbtNode

from orchestration.config.files import PROJECT
from orchestration.dags.operators import DbtOperator
from orchestration.dbt import NO_UNIT_TESTS
from orchestration.manifest import manifest_file


@dataclass(frozen=True)
class Selection:
    """Nodes of the project: `tag:` and `path:` selectors, united, without those of `exclude`."""

    select: tuple[str, ...]
    exclude: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """The same for dbt's command line."""
        exclude = ["--exclude", *self.exclude] if self.exclude else []
        return ["--select", *self.select, *exclude]


def model_tasks(group_id: str, selection: Selection, command: Sequence[str]) -> DbtTaskGroup:
    """A group with a task for each selected model, in the order of their refs; called inside a DAG.

    `command` is what dbt does with each, such as `["run"]`.
    """

    def task(*, dag: Any, task_group: Any, node: DbtNode, **_: Any) -> BaseOperator:
        name = node.unique_id.split(".")[-1]
        of_node = [*command, "--select", name]
        return DbtOperator(task_id=name, dag=dag, task_group=task_group, command=of_node, unique_id=node.unique_id)

    return DbtTaskGroup(
        group_id=group_id,
        project_config=ProjectConfig(
            PROJECT, manifest_path=manifest_file(), project_name="orgo_insights", install_dbt_deps=False
        ),
        # Cosmos wants to know them; its own operators, which would use them, are not in use.
        profile_config=ProfileConfig("orgo_insights", "dev", profiles_yml_filepath=PROJECT / "profiles/profiles.yml"),
        execution_config=ExecutionConfig(),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            select=list(selection.select),
            exclude=list(selection.exclude),
            test_behavior=TestBehavior.NONE,
            emit_datasets=False,
            node_converters={DbtResourceType.MODEL: task},
        ),
    )


def build_task(task_id: str, selection: Selection) -> BaseOperator:
    """One `dbt build` of a whole layer, with those tests that need nothing that is built later."""
    command = ["build", *NO_UNIT_TESTS, *selection.arguments(), "--indirect-selection", "buildable"]
    return DbtOperator(task_id=task_id, command=command)


def run_task(task_id: str, selection: Selection) -> BaseOperator:
    """One `dbt run` of these models, with no test: a failed one must not keep the others from being loaded."""
    return DbtOperator(task_id=task_id, command=["run", *selection.arguments()])


def test_task(task_id: str, selection: Selection, indirect: str) -> BaseOperator:
    """One `dbt test`; `indirect` says which tests of several models count: eager (one is selected) or buildable."""
    command = ["test", *NO_UNIT_TESTS, *selection.arguments(), "--indirect-selection", indirect]
    return DbtOperator(task_id=task_id, command=command)
