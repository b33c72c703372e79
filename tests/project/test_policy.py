"""Rules that hold for the whole project: everything is described, configured by its folder, and guarded."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import click
import pytest
from support.policy import Node, catalog, macros, manifest, models, nodes, sources
from support.warehouse import Warehouse

from orchestration import dbt
from orchestration.cli import commands
from orchestration.config.files import PROJECT, load_settings
from orchestration.reviews.patterns import CADENCES
from workshop.cli import commands as workshop_commands

# What the folder of a model decides: schema, materialization, tag.
# The DAG that builds a model is a tag too; test_dags.py says which has which.
DAGS = set(load_settings().dags)
FOLDERS = {
    "models/staging/": ("insights_staging", "view", "staging"),
    "models/intermediate/": ("insights_staging", "view", "intermediate"),
    "models/ops/": ("insights_ops", "table", "ops"),
    "models/marts/core/": ("insights", "table", "core"),
    "models/marts/patterns/": ("insights", "table", "patterns"),
    "models/marts/reports/": ("insights", "table", "reports"),
}

# Models with a materialization of their own, and why.
OTHER_MATERIALIZATIONS = {
    "int_applicable_profiles": ("table", "as_of and configured values are compiled into tables only"),
    "int_task_lifecycle": ("table", "a delta that several marts read: computed once a load"),
    "int_case_lifecycle": ("table", "a delta that several marts read: computed once a load"),
    "dim_tasks": ("incremental", "only what changed"),
    "dim_cases": ("incremental", "only what changed"),
    "dim_persons": ("incremental", "keeps persons who left the source"),
    "dim_learning_groups": ("incremental", "keeps what left the source"),
    "fact_tasks": ("incremental", "only what changed"),
    "fact_cases": ("incremental", "only what changed"),
    "fact_wellbeing_checkins": ("incremental", "only what changed"),
    "int_monthly_trends": ("table", "report_monthly_trends is merged from it, and loses what it has no longer"),
    "report_monthly_trends": ("incremental", "outlives the facts"),
    "report_task_volume": ("materialized_view", "refreshed while it is read"),
    "made_reviews": ("view", "a few columns of the load log, read by models and commands alike"),
    "rejects": ("incremental", "keeps what was ever rejected"),
    "review_requests": ("incremental", "keeps what was ever asked"),
    "pattern_weekly": ("incremental", "keeps earlier reviews"),
    "pattern_monthly": ("incremental", "keeps earlier reviews"),
    "pattern_yearly": ("incremental", "keeps earlier reviews"),
}

# What tasks may lack, and what then makes a group of its own. unique_grain takes two NULLs for equal.
GROUPED_WITHOUT = {"domain", "type"}

LOOKS_PERSONAL = re.compile(r"name|mail|phone|birth|title|reference|description|note|body|comment|contact|address|tags")
# What `meta.pii` may say. `none`: it looks personal and is not; `key`: the id of a person, masked when it leaves.
PII_KINDS = {"identifier", "name", "free_text", "birth_date", "key", "none"}
NOT_PERSONAL = {
    "dim_dates.month_name": "English month",
    "dim_dates.day_name": "English weekday",
    "dim_organizations.display_name": "of an organization",
    "dim_roles.display_name": "of a role",
    "dim_roles.description": "of a role",
    "dim_labels.display_name": "of a label",
    "dim_labels.description": "of a label",
    "dim_learning_groups.name": "of a group",
    **dict.fromkeys(
        (
            *(
                f"dim_{kind}.label_{part}_name"
                for kind in ("tasks", "cases")
                for part in ("base", "category", "subcategory")
            ),
            *(f"report_monthly_trends.label_{part}_name" for part in ("base", "category")),
        ),
        "of a code",
    ),
    "fact_tasks.comment_count": "a number",
    "fact_wellbeing_checkins.tags": "words to count, a part of the public contract",
}
IDS_OF_PERSONS = {"bridge_entity_labels.entity_id", "dim_persons.person_id", "fact_wellbeing_checkins.person_id"}

# Never staged (design, rule 3; titles of tasks and names of users are not needed either).
NEVER_READ = {
    "tasks": ["title", "description"],
    "cases": ["description"],
    "task_comments": ["body"],
    "wellbeing_checkins": ["notes", "submitted_by_user_id"],
    "person_profiles": ["date_of_birth", "primary_contact_email", "primary_contact_phone"],
    "user_accounts": ["email", "display_name"],
}


def test_everything_of_the_project_has_a_description() -> None:
    described: dict[str, str] = {}
    for node in [*nodes("model", "snapshot", "seed"), *sources(), *manifest()["exposures"].values(), *macros()]:
        described[node["unique_id"]] = node["description"]
        for part in [*node.get("columns", {}).values(), *node.get("arguments", [])]:
            described[f"{node['unique_id']} {part['name']}"] = part["description"]
    for test in manifest()["unit_tests"].values():
        described[test["unique_id"]] = test["description"]
    described |= {f"source {s['source_name']}": s["source_description"] for s in sources()}
    assert [name for name, text in described.items() if not (text or "").strip()] == []


def test_every_argument_of_a_macro_is_described() -> None:
    called = [m for m in macros() if not m["name"].startswith("materialization_")]  # dbt calls those, without arguments
    signatures = {
        m["name"]: re.search(r"{%-?\s*(?:macro|test)\s+\w+\((.*?)\)\s*-?%}", m["macro_sql"], re.S) for m in called
    }
    written = {
        name: [argument.split("=")[0].strip() for argument in found[1].split(",") if argument.strip()]
        for name, found in signatures.items()
        if found
    }
    assert set(written) == {m["name"] for m in called}
    assert written == {m["name"]: [argument["name"] for argument in m["arguments"]] for m in called}


def test_every_singular_test_says_what_holds() -> None:
    files = [
        PROJECT / node["original_file_path"] for node in nodes("test") if node["original_file_path"].endswith(".sql")
    ]
    singular = [file for file in files if file.parent.name != "generic"]
    assert singular
    assert [file.name for file in singular if not re.match(r"-- [A-Z].{20}", file.read_text("utf-8"))] == []


@pytest.mark.services
def test_every_column_of_the_warehouse_is_described_and_there(built: Warehouse) -> None:
    # What the previous load left is described as a source too, with the columns that are read of it: the model counts.
    described = {f"{s['schema']}.{s['name']}": set(s["columns"]) for s in sources() if s["source_name"] != "orgo"}
    described |= {f"{n['schema']}.{n['alias']}": set(n["columns"]) for n in nodes("model", "snapshot", "seed")}
    there = {relation: set(columns) for relation, columns in catalog(built).items()}
    differing = {name for name in described.keys() | there.keys() if described.get(name) != there.get(name)}
    assert {
        name: {
            "only described": described.get(name, set()) - there.get(name, set()),
            "only there": there.get(name, set()) - described.get(name, set()),
        }
        for name in differing
    } == {}


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
        assert mart["raw_code"].startswith("-- Grain: "), mart["name"]


def test_every_key_is_written_once_and_proven_once() -> None:
    keyed = [m for m in models() if m["config"]["unique_key"]]
    assert {m["name"] for m in models("models/marts/")} <= {m["name"] for m in keyed}
    assert {m["name"] for m in models() if m["config"]["materialized"] == "incremental"} <= {m["name"] for m in keyed}
    proven = Counter(
        test["attached_node"] for test in nodes("test") if _kind(test) in ("unique_grain", "unique") and _of_key(test)
    )
    assert proven == Counter(m["unique_id"] for m in keyed)
    for model in keyed:
        written = [
            c["name"] for c in model["columns"].values() if "primary_key" in [k["type"] for k in c["constraints"]]
        ]
        assert (written, model["constraints"]) == ([], []), model["name"]


def test_no_key_is_null() -> None:
    lasting = [m for m in models() if m["config"]["materialized"] == "incremental"]
    for model in [*models("models/marts/"), *lasting]:
        nullable = {c for c in _key(model) if not _is_never_null(model["columns"][c], mart=model["name"])}
        assert nullable <= (GROUPED_WITHOUT if model not in lasting else set()), model["name"]


def _key(model: Node) -> list[str]:
    key = model["config"]["unique_key"] or []
    return [key] if isinstance(key, str) else key


def _kind(test: Node) -> str | None:
    return (test.get("test_metadata") or {}).get("name")


def _of_key(test: Node) -> bool:
    """Whether a test is of the whole key of its model, not of another column that happens to be unique."""
    key = _key(manifest()["nodes"][test["attached_node"]])
    if _kind(test) == "unique_grain":
        return bool(test["test_metadata"]["kwargs"].get("columns", key) == key)
    return [test["column_name"]] == key


def _is_never_null(column: dict[str, Any], *, mart: str) -> bool:
    """By a constraint or, in a materialized view, which has none, by a test."""
    tested = {
        (test["attached_node"].split(".")[-1], test["column_name"])
        for test in nodes("test")
        if _kind(test) == "not_null"
    }
    return "not_null" in [k["type"] for k in column["constraints"]] or (mart, column["name"]) in tested


@pytest.mark.services
def test_a_materialized_view_has_the_columns_of_its_contract(built: Warehouse) -> None:
    views = [mart for mart in models("models/marts/") if mart["config"]["materialized"] == "materialized_view"]
    assert [view["name"] for view in views] == ["report_task_volume"]
    for view in views:
        wanted = {name: column["data_type"] for name, column in view["columns"].items()}
        assert catalog(built)[f"insights.{view['name']}"] == wanted


@pytest.mark.parametrize("folder", ["models/marts/core/", "models/marts/reports/"])
def test_what_outlives_the_source_refuses_a_full_refresh(folder: str) -> None:
    incremental = [m for m in models(folder) if m["config"]["materialized"] == "incremental"]
    assert incremental
    assert [m["name"] for m in incremental if not re.search(r"}}\n{{- guard_history\(\) }}\n", m["raw_code"])] == []


def test_every_column_of_a_mart_that_looks_personal_is_designated() -> None:
    designated = {
        f"{mart['name']}.{column['name']}": column["config"]["meta"].get("pii")
        for mart in models("models/marts/")
        for column in mart["columns"].values()
        if LOOKS_PERSONAL.search(column["name"]) or "pii" in column["config"]["meta"]
    }
    assert designated == {
        **dict.fromkeys(NOT_PERSONAL, "none"),
        **dict.fromkeys(IDS_OF_PERSONS, "key"),
        "dim_cases.source_keys": "identifier",
        "dim_cases.title": "free_text",
        "dim_persons.external_reference": "identifier",
        "dim_persons.full_name": "name",
    }
    assert set(designated.values()) <= PII_KINDS
    ids = {f"{m['name']}.{name}" for m in models("models/marts/") for name in m["columns"] if "person_id" in name}
    assert ids <= IDS_OF_PERSONS


def test_what_is_never_staged_is_in_no_source() -> None:
    listed = {s["name"]: set(s["columns"]) for s in sources() if s["source_name"] == "orgo"}
    assert {
        table: listed[table] & set(columns) for table, columns in NEVER_READ.items() if listed[table] & set(columns)
    } == {}


@pytest.mark.services
def test_what_is_never_staged_cannot_be_read(prepared: Warehouse) -> None:
    for table, columns in NEVER_READ.items():
        for column in columns:
            query = "select has_column_privilege('orgo_insights_etl', %s, %s, 'select')"
            assert prepared.value(query, f"public.{table}", column) is False, f"{table}.{column}"


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
        "int_case_lifecycle",
        "int_monthly_trends",  # aggregated retention
        "int_task_lifecycle",
        *(f"pattern_{cadence}" for cadence in CADENCES),
        "rejects",  # overlap
    }
    assert {before[name]["config"]["materialized"] for name in changed} == {"table", "incremental"}
    views = [name for name, node in before.items() if node["config"]["materialized"] in ("view", "materialized_view")]
    assert len(views) > 20


def test_every_command_and_option_has_a_help_text() -> None:
    silent = []
    for path, command in [*_commands("insights", commands), *_commands("workshop", workshop_commands)]:
        if not (command.help or "").strip():
            silent.append(path)
        silent += [
            f"{path} {parameter.opts[0]}"
            for parameter in command.params
            if isinstance(parameter, click.Option) and not (parameter.help or "").strip()
        ]
    assert silent == []


def test_every_environment_variable_is_documented() -> None:
    places = [
        "orchestration/**/*.py",
        "workshop/**/*.py",
        "profiles/*",
        "macros/**/*.sql",
        "models/**/*.*",
        "config/**/*.yaml",
        "dev",
    ]
    read = {
        name for file in _files(*places) for name in re.findall(r"\bINSIGHTS_[A-Z_]*[A-Z]\b", file.read_text("utf-8"))
    }
    assert "INSIGHTS_WAREHOUSE_URL" in read
    documented = "".join(file.read_text("utf-8") for file in _files("README.md", "docs/**/*.md"))
    assert sorted(name for name in read if not re.search(rf"\b{name}\b", documented)) == []


@pytest.mark.services
def test_the_sql_of_a_later_load_is_clean_too(built: Warehouse) -> None:
    # `./dev lint` has an empty warehouse: the branches of its models for a built one are compiled here only.
    branching = [f for f in _files("models/**/*.sql") if re.search(r"{%-? if |{{ '.*' if ", f.read_text("utf-8"))]
    assert {"dim_persons", "int_case_lifecycle", "int_monthly_trends"} <= {f.stem for f in branching}
    environment = dbt.process_environment(built.settings, built.etl_url)
    sqlfluff = [str(Path(sys.executable).with_name("sqlfluff")), "lint", *map(str, branching)]
    done = subprocess.run(sqlfluff, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def _config_call(node: Node) -> str:
    found = re.search(r"{{\s*config\((.*?)\)\s*}}", node["raw_code"], re.S)
    return found[1] if found else ""


def _compiled(warehouse: Warehouse, **variables: Any) -> dict[str, Node]:
    """Every model after `dbt compile`, by name."""
    result = warehouse.build("--select", "resource_type:model", command="compile", **variables)
    assert result.succeeded, result.output
    written = json.loads((Path(os.environ["DBT_TARGET_PATH"]) / "manifest.json").read_text("utf-8"))["nodes"]
    return {n["name"]: n for n in written.values() if n["resource_type"] == "model"}


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _commands(f"{path} {name}", child)


def _files(*patterns: str) -> list[Path]:
    return [file for pattern in patterns for file in sorted(PROJECT.glob(pattern)) if file.is_file()]
