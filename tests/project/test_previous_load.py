"""What the previous load left is declared as sources, which the lineage shows and which hide no model."""

from __future__ import annotations

from support.policy import manifest, models, sources

from orchestration.manifest import relations

PREVIOUS = ("previous_load", "previous_load_ops")


def test_every_table_of_the_previous_load_is_a_model_with_these_columns() -> None:
    built = {(model["schema"], model["alias"]): model for model in models()}
    tables = [source for source in sources() if source["source_name"] in PREVIOUS]
    assert len(tables) == 9
    for table in tables:
        model = built[table["schema"], table["identifier"]]
        types = {name: column["data_type"] for name, column in table["columns"].items()}
        assert types.keys() <= model["columns"].keys(), table["name"]
        contract = {name: model["columns"][name]["data_type"] for name in types}
        assert contract in (types, dict.fromkeys(types)), table["name"]  # only marts fix their types


def test_a_model_that_is_a_source_too_is_known_as_the_model() -> None:
    assert relations(manifest())["fact_cases"].meta["retention"]
    assert {relation.schema for relation in relations(manifest()).values() if relation.name == "review_requests"} == {
        "insights_ops"
    }
    assert relations(manifest())["review_requests"].meta["retention"]


def test_the_lineage_shows_what_the_previous_load_left() -> None:
    readers = {
        model["name"]: {
            parent.removeprefix("source.orgo_insights.")
            for parent in model["depends_on"]["nodes"]
            if parent.split(".")[2] in PREVIOUS
        }
        for model in models()
    }
    assert {name: parents for name, parents in readers.items() if parents} == {
        "int_business_intervals": {"previous_load.fact_tasks", "previous_load.fact_cases"},
        "int_task_lifecycle": {"previous_load.dim_tasks", "previous_load.fact_tasks"},
        "int_case_lifecycle": {
            "previous_load.dim_tasks",
            "previous_load.fact_cases",
            "previous_load.pattern_weekly",
            "previous_load.pattern_monthly",
            "previous_load.pattern_yearly",
            "previous_load_ops.review_requests",
        },
        "int_monthly_trends": {"previous_load.report_monthly_trends"},
        "personal_cases": {"previous_load.dim_cases"},
    }
