"""The folder of a model configures it, and each mart has a contract."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support import saved_parse
from support.documentation import read
from support.policy import Node, catalog, lasting, models
from support.warehouse import Warehouse

from orchestration import dbt
from orchestration.config.files import PROJECT, load_settings
from orchestration.reviews.patterns import CADENCES

# What the folder of a model decides: schema, materialization, tag.
# The DAG that builds a model is a tag too: see test_dag_nodes.py.
DAGS = set(load_settings().dags)
FOLDERS = {
    "models/staging/": ("insights_staging", "view", "staging"),
    "models/intermediate/": ("insights_staging", "view", "intermediate"),
    "models/ops/": ("insights_ops", "table", "ops"),
    "models/marts/core/": ("insights", "table", "core"),
    "models/marts/personal/": ("insights_personal", "table", "personal"),
    "models/marts/patterns/": ("insights", "table", "patterns"),
    "models/marts/reports/": ("insights", "table", "reports"),
}

# Models with a materialization of their own, and why.
OTHER_MATERIALIZATIONS = {
    "int_applicable_profiles": ("table", "as_of and configured values are compiled into tables only"),
    "int_task_lifecycle": ("table", "a delta that several marts read: computed once a load"),
    "int_case_lifecycle": ("table", "a delta that several marts read: computed once a load"),
    "int_business_calendars": ("table", "read by each question about a calendar, and has an index"),
    "int_business_intervals": ("table", "as_of is compiled into tables only; looked into by its indexes"),
    "int_daily_counts": ("table", "configured values are compiled into tables only"),
    "int_task_statuses": ("table", "a delta that several marts read: computed once a load"),
    "dim_dates": ("incremental", "a stored day never changes"),
    "dim_tasks": ("incremental", "only what changed"),
    "fact_case_business_times": ("incremental", "only what changed"),
    "fact_task_business_times": ("incremental", "only what changed"),
    "fact_task_status_business_times": ("incremental", "only what changed"),
    "fact_task_statuses": ("incremental", "only what changed"),
    "dim_cases": ("incremental", "only what changed"),
    "dim_persons": ("incremental", "keeps persons who left the source"),
    "personal_cases": ("incremental", "only what changed"),
    "dim_learning_groups": ("incremental", "keeps what left the source"),
    "fact_tasks": ("incremental", "only what changed"),
    "fact_cases": ("incremental", "only what changed"),
    "fact_wellbeing_checkins": ("incremental", "only what changed"),
    "int_monthly_trends": ("table", "report_monthly_trends is merged from it, and loses what it has no longer"),
    "report_monthly_trends": ("incremental", "outlives the facts"),
    "report_task_backlog": ("incremental", "only what changed"),
    "report_profile_scores": ("materialized_view", "small, and refreshed while it is read"),
    "report_sla_breaches": ("incremental", "only the days that changed"),
    "report_targets": ("incremental", "only the months that changed"),
    "report_task_volume": ("incremental", "only the days that changed"),
    "made_reviews": ("view", "a few columns of the load log, read by models and commands alike"),
    "rejects": ("incremental", "keeps what was ever rejected"),
    "review_requests": ("incremental", "keeps every request"),
    "pattern_weekly": ("incremental", "keeps earlier reviews"),
    "pattern_monthly": ("incremental", "keeps earlier reviews"),
    "pattern_yearly": ("incremental", "keeps earlier reviews"),
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_folder_of_a_model_configures_it(folder: str) -> None:
    schema, materialized, tag = FOLDERS[folder]
    for node in models(folder):
        own, _reason = OTHER_MATERIALIZATIONS.get(node["name"], (materialized, ""))
        tags = [name for name in node["config"]["tags"] if name not in DAGS]
        found = (node["schema"], node["config"]["materialized"], tags)
        assert found == (schema, own, [tag]), node["name"]
        assert not re.search(r"\b(schema|tags|database|alias)\s*=", _config_call(node)), node["name"]


def test_every_model_is_in_a_folder_that_configures_it() -> None:
    assert [m["name"] for m in models() if not m["original_file_path"].startswith(tuple(FOLDERS))] == []
    assert set(OTHER_MATERIALIZATIONS) <= {m["name"] for m in models()}


def test_every_mart_has_a_contract_and_states_its_grain() -> None:
    for mart in models("models/marts/"):
        assert mart["config"]["contract"]["enforced"], mart["name"]
        assert mart["description"].startswith("Grain: "), mart["name"]
        assert "Grain: " not in mart["raw_code"], f"{mart['name']}: the description states the grain, and nothing else"


def test_other_projects_may_refer_to_the_star_and_to_nothing_else() -> None:
    public = {model["name"] for model in models() if model["access"] == "public"}
    assert public == {
        model["name"]
        for model in models("models/marts/")
        if not model["original_file_path"].startswith("models/marts/personal")
    }


@pytest.mark.services
def test_a_materialized_view_has_the_columns_of_its_contract(built: Warehouse) -> None:
    views = [mart for mart in models("models/marts/") if mart["config"]["materialized"] == "materialized_view"]
    assert [view["name"] for view in views] == ["report_profile_scores"]
    for view in views:
        wanted = {name: column["data_type"] for name, column in view["columns"].items()}
        assert catalog(built)[f"insights.{view['name']}"] == wanted


@pytest.mark.services
def test_the_planner_has_statistics_of_every_intermediate_table(built: Warehouse) -> None:
    has_statistics = dict(
        built.rows("""
            select relname, exists (select from pg_statistic where starelid = tables.oid)
            from pg_class as tables
            where relnamespace = 'insights_staging'::regnamespace and relkind = 'r' and pg_relation_size(oid) > 0
        """)
    )
    tables = {model["name"] for model in models("models/intermediate/") if model["config"]["materialized"] == "table"}
    assert len(tables & has_statistics.keys()) > 5
    assert [name for name in tables & has_statistics.keys() if not has_statistics[name]] == []


@pytest.mark.parametrize("folder", ["models/marts/core/", "models/marts/personal/", "models/marts/reports/"])
def test_a_mart_that_outlives_the_source_refuses_a_full_refresh(folder: str) -> None:
    assert lasting(folder)
    assert [m["name"] for m in lasting(folder) if not re.search(r"}}\n{{- guard_history\(\) }}\n", m["raw_code"])] == []


@pytest.mark.services
def test_as_of_and_configured_values_are_compiled_into_tables_only(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _compiled(built)
    monkeypatch.setenv("INSIGHTS_DEFAULT_PROFILE_KEY", "hospital")
    after = _compiled(
        built,
        as_of=date(2026, 2, 3),
        overlap_hours=7,
        raw_event_retention_days=dict.fromkeys(("dev", "staging", "prod", "offline"), 701),
        aggregated_retention_days=dict.fromkeys(("dev", "staging", "prod", "offline"), 702),
        default_profile_key="retail_chain",
        overrides_by_domain={"kitchen": "friend_group"},
        patterns={name: {"window_days": 9, "min_events": 8, "min_distinct_sources": 7} for name in CADENCES},
    )
    changed = {name for name in before if before[name]["compiled_code"] != after[name]["compiled_code"]}
    assert changed == {
        "fact_wellbeing_checkins",  # horizon, cutoff, overlap
        "int_applicable_profiles",  # default profile, overrides
        "int_business_intervals",  # horizon, cutoff
        "int_case_lifecycle",
        "int_monthly_trends",  # aggregated retention
        "int_task_lifecycle",
        *(f"pattern_{cadence}" for cadence in CADENCES),
        "rejects",  # overlap
    }
    assert {before[name]["config"]["materialized"] for name in changed} == {"table", "incremental"}
    views = [name for name, node in before.items() if node["config"]["materialized"] in ("view", "materialized_view")]
    assert len(views) > 20


@pytest.mark.services
def test_the_sql_of_a_later_load_is_clean_too(built: Warehouse) -> None:
    # `./dev lint` has an empty warehouse: the branches of its models for a built one are compiled here only.
    models_sql = read(PROJECT, "models/*.sql")
    branching = [name for name, text in models_sql.items() if re.search(r"{%-? if |{{ '.*' if ", text)]
    assert {"dim_persons", "int_case_lifecycle", "int_monthly_trends"} <= {Path(name).stem for name in branching}
    environment = dbt.process_environment(built.settings, built.etl_url)
    saved_parse.save(environment, "--target", "dev", "--profile", "orgo_insights")  # as in .sqlfluff
    sqlfluff = [str(Path(sys.executable).with_name("sqlfluff")), "lint", *branching]
    done = subprocess.run(sqlfluff, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def _config_call(node: Node) -> str:
    found = re.search(r"{{\s*config\((.*?)\)\s*}}", node["raw_code"], re.S)
    return found[1] if found else ""


def _compiled(warehouse: Warehouse, **variables: Any) -> dict[str, Node]:
    """Return every model after `dbt compile`, by name."""
    result = warehouse.build("--select", "resource_type:model", "--write-json", command="compile", **variables)
    assert result.succeeded, result.output
    written = json.loads((Path(os.environ["DBT_TARGET_PATH"]) / "manifest.json").read_text("utf-8"))["nodes"]
    return {n["name"]: n for n in written.values() if n["resource_type"] == "model"}
