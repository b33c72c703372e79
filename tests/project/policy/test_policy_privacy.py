"""Personal columns are designated, and what is never needed cannot be read."""

from __future__ import annotations

import re

import pytest
from support.policy import models, sources
from support.warehouse import Warehouse

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

IDS_OF_PERSONS = {
    "bridge_entity_labels.entity_id",
    "dim_persons.person_id",
    "personal_persons.person_id",
    "fact_wellbeing_checkins.person_id",
}

# Never staged (design, rule 3; titles of tasks and names of users are not needed either).
NEVER_READ = {
    "tasks": ["title", "description"],
    "cases": ["description"],
    "task_comments": ["body"],
    "wellbeing_checkins": ["notes", "submitted_by_user_id"],
    "person_profiles": ["date_of_birth", "primary_contact_email", "primary_contact_phone"],
    "user_accounts": ["email", "display_name"],
}


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
        "personal_cases.source_keys": "identifier",
        "personal_cases.title": "free_text",
        "personal_cases.visible_source_keys": "identifier",
        "personal_persons.external_reference": "identifier",
        "personal_persons.full_name": "name",
    }
    assert set(designated.values()) <= PII_KINDS
    withheld = {name for name, kind in designated.items() if kind not in ("key", "none")}
    personal = {f"{mart['name']}.{name}" for mart in models("models/marts/personal/") for name in mart["columns"]}
    assert withheld <= personal  # of which readers may select nothing, so that they may select all of the others
    ids = {f"{m['name']}.{name}" for m in models("models/marts/") for name in m["columns"] if "person_id" in name}
    assert ids <= IDS_OF_PERSONS


def test_columns_that_are_never_staged_are_in_no_source() -> None:
    listed = {s["name"]: set(s["columns"]) for s in sources() if s["source_name"] == "orgo"}
    assert {
        table: listed[table] & set(columns) for table, columns in NEVER_READ.items() if listed[table] & set(columns)
    } == {}


@pytest.mark.services
def test_columns_that_are_never_staged_cannot_be_read(prepared: Warehouse) -> None:
    for table, columns in NEVER_READ.items():
        for column in columns:
            query = "select has_column_privilege('orgo_insights_etl', %s, %s, 'select')"
            assert prepared.value(query, f"public.{table}", column) is False, f"{table}.{column}"
