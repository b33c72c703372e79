"""The nodes that each DAG builds are those that dbt selects."""

from __future__ import annotations

import json
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner
from support import in_process
from support.airflow import airflow_dags
from support.airflow.airflow_dags import task_of

from orchestration.config.files import PROJECT
from orchestration.dags.gate import Gate
from orchestration.dags.operators import DbtOperator, LoadLogOperator

REVIEWS = ["insights_weekly_pattern_review", "insights_monthly_trend_report", "insights_yearly_systemic_review"]


@cache
def _ls(*arguments: str) -> list[dict[str, Any]]:
    """Return the result of `dbt ls --output json`, run in this process on the parsed project."""
    command = ["ls", "--output", "json", "--output-keys", "unique_id", "name", "resource_type", "tags"]
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    types = chain.from_iterable(("--resource-type", kind) for kind in ("model", "snapshot", "test"))
    done = dbtRunner(manifest=in_process.parsed("dev", "insights")).invoke(
        [*command, *arguments, *types, *folders, "--quiet", "--no-write-json", *in_process.NO_LOGGERS]
    )
    assert done.success, done.exception
    return [json.loads(line) for line in done.result]  # type: ignore[union-attr]


def _ids(nodes: list[dict[str, Any]], *kinds: str) -> set[str]:
    return {node["unique_id"] for node in nodes if node["resource_type"] in kinds}


def test_each_dag_has_the_nodes_that_dbt_selects(prod: dict[str, airflow_dags.DAG]) -> None:
    everything = _ls()
    reviews = {dag.removeprefix("insights_"): dag for dag in REVIEWS}
    groups = {selector: _ls("--selector", selector) for selector in reviews}
    for selector, dag_id in reviews.items():
        tasks = (task for task in prod[dag_id].tasks if isinstance(task, DbtOperator))
        assert {task.unique_id for task in tasks} == _ids(groups[selector], "model") != set(), dag_id

    # What is one command: dbt selects its nodes.
    commands = [
        task.command
        for dag in prod.values()
        for task in dag.tasks
        if isinstance(task, DbtOperator) and not task.unique_id
    ]
    assert len(commands) >= 6
    layers = [(command[0], _ls(*command[command.index("--selector") :])) for command in commands]

    made = [nodes for command, nodes in layers if command != "test"] + list(groups.values())
    built = [unique_id for nodes in made for unique_id in _ids(nodes, "model", "snapshot")]
    shared = ("review_requests", "int_review_request_needs", "int_reported_cases")
    by_all = {f"model.orgo_insights.{name}" for name in shared}
    assert {unique_id for unique_id in built if built.count(unique_id) == len(REVIEWS)} == by_all
    assert sorted({*built}) == sorted(_ids(everything, "model", "snapshot"))
    assert len(built) - len(by_all) * (len(REVIEWS) - 1) == len({*built}), "nothing else is built twice"

    # A plain run tests nothing, whatever its selector says.
    tested = [nodes for command, nodes in layers if command != "run"] + list(groups.values())
    assert set[str]().union(*(_ids(nodes, "test") for nodes in tested)) == _ids(everything, "test")


def test_no_view_is_lost_when_a_load_replaces_a_table_below_it(manifest: Path) -> None:
    # PostgreSQL drops the views above a replaced table; the load, and the reconciliation, must make them again.
    nodes = json.loads(manifest.read_text("utf-8"))["nodes"]
    loaded = _ids(_ls("--selector", "events_layer"), "model") | _ids(_ls("--selector", "events_facts"), "model")
    loaded |= _ids(_ls("--selector", "events_reports"), "model")
    repaired = _ids(_ls("--selector", "reconcile"), "model")
    replaced = {i for i in loaded if nodes[i]["config"]["materialized"] == "table"}
    above = {
        i
        for i, node in nodes.items()
        if node["config"]["materialized"] == "view" and replaced & set(node["depends_on"]["nodes"])
    }
    assert "model.orgo_insights.int_task_outcomes" in above
    assert above <= loaded & repaired


def test_reviews_wait_for_every_mart_of_the_daily_loads(prod: dict[str, airflow_dags.DAG]) -> None:
    def models(selection: str) -> set[str]:
        return {node["name"] for node in _ls("--select", selection) if node["resource_type"] == "model"}

    for key in ("daily_events_load", "daily_dimensions_sync"):
        relations = task_of(prod[f"insights_{key}"], "load_log", LoadLogOperator).relations
        assert set(relations) == models(f"tag:{key},path:models/marts") != set()
    facts = models("tag:daily_events_load,path:models/marts/core")
    assert "report_task_volume" not in facts and len(facts) >= 5
    assert set(task_of(prod["insights_daily_dimensions_sync"], "gate", Gate).needs.present) == facts
    for dag_id in REVIEWS:
        gate = task_of(prod[dag_id], "gate", Gate)
        assert set(gate.needs.loaded) == facts | models("tag:daily_dimensions_sync,path:models/marts/core")
        own = f"pattern_{dag_id.split('_')[1]}"
        assert set(gate.needs.present) == {"pattern_weekly", "pattern_monthly", "pattern_yearly"} - {own}
