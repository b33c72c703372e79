"""No model with a rule of its own lacks unit tests; test_init.py runs them, in a session far from UTC."""

from __future__ import annotations

from support.policy import manifest, models

# Models without a rule that has a unit test, and why.
WITHOUT_RULES = {
    "stg_entity_labels": "renames",
    "stg_label_definitions": "renames; test_every_kind_of_value has missing codes and names",
    "stg_learning_groups": "renames; test_every_kind_of_value has missing codes and names",
    "stg_roles": "renames; test_every_kind_of_value has missing codes and names",
    "stg_task_assignments": "renames",
    "stg_task_comments": "renames; its updated_at is that of stg_tasks",
    "stg_user_accounts": "renames",
    "personal_cases": "selects int_case_lifecycle",
    "int_reported_cases": "joins dim_cases and personal_cases; the unit tests of the patterns give its rows",
    "report_profile_scores": "selects int_profile_scores; dbt has no unit tests of materialized views",
    "source_drift": "reads the catalog, which a unit test cannot give",
    "data_quality": "counts the flags that unit tests of the life cycles set",
}


def test_every_model_with_a_rule_has_unit_tests() -> None:
    tested = {test["model"] for test in manifest()["unit_tests"].values()}
    assert {model["name"] for model in models()} - tested == set(WITHOUT_RULES)


def test_the_name_of_a_unit_test_fits_into_an_identifier_of_postgresql() -> None:
    # dbt names a relation after it; a longer name fails only where the test runs.
    assert [test["name"] for test in manifest()["unit_tests"].values() if len(test["name"]) > 63] == []
