"""The marts are the star schema of the source contract, written down a second time by hand."""

from __future__ import annotations

import pytest
from support.policy import catalog
from support.warehouse import Warehouse

# Source contract, section 2. Columns may be added, none renamed or of another type.
STAR_SCHEMA = {
    "dim_dates": """
        date_key date, year integer, quarter integer, month integer, month_name text, week_of_year integer,
        day_of_week integer, day_name text, is_weekend boolean
    """,
    "dim_organizations": """
        organization_id uuid, slug text, display_name text, org_type text, timezone text, active_from date,
        active_to date, profile_code text
    """,
    "dim_tasks": """
        task_id uuid, organization_id uuid, case_id uuid, label text, type text, category text, subtype text,
        priority text, severity text, visibility text, source text, assignee_role text,
        created_at timestamp with time zone, closed_at timestamp with time zone, current_status text
    """,
    "dim_cases": """
        case_id uuid, organization_id uuid, label text, status text, severity text,
        origin_vertical_level integer, origin_role text, opened_at timestamp with time zone,
        closed_at timestamp with time zone
    """,
    "dim_persons": "person_id uuid, organization_id uuid, confidentiality_level text",
    "dim_learning_groups": "learning_group_id uuid, organization_id uuid, code text, name text, category text",
    "fact_tasks": """
        id bigint, task_id uuid, organization_id uuid, created_date_key date, closed_date_key date, current_status text,
        priority text, severity text, source text, time_to_first_response_seconds bigint,
        time_to_completion_seconds bigint, escalation_count integer, comment_count integer
    """,
    "fact_cases": """
        id bigint, case_id uuid, organization_id uuid, opened_date_key date, closed_date_key date, status text,
        severity text, linked_task_count integer, escalation_count integer, review_count integer
    """,
    "fact_wellbeing_checkins": """
        id bigint, checkin_id uuid, organization_id uuid, person_id uuid, learning_group_id uuid, date_key date,
        score integer, tags text[], related_case_id uuid, related_task_id uuid
    """,
    # The contract names these two by their source tables (roles, label_definitions) alone.
    "dim_roles": """
        role_id uuid, organization_id uuid, code text, display_name text, description text, is_system_role boolean
    """,
    "dim_labels": """
        label_id uuid, organization_id uuid, code text, display_name text, description text, category text,
        color_hint text
    """,
}


# The personal columns of dim_cases and dim_persons, which stand in relations of their own (decision D203).
PERSONAL = {
    "personal_cases": "case_id uuid, organization_id uuid, title text",
    "personal_persons": "person_id uuid, organization_id uuid, full_name text, external_reference text",
}


@pytest.mark.services
def test_marts_are_the_star_schema_of_the_contract(built: Warehouse) -> None:
    there = catalog(built)
    star = {f"insights.{table}": columns for table, columns in STAR_SCHEMA.items()}
    personal = {f"insights_personal.{table}": columns for table, columns in PERSONAL.items()}
    for table, written in (star | personal).items():
        wanted = dict(column.strip().split(" ", 1) for column in " ".join(written.split()).split(","))
        found = {name: kind for name, kind in there[table].items() if name in wanted}
        assert found == wanted, table


@pytest.mark.services
def test_every_fact_and_report_has_a_visibility_and_an_organization(built: Warehouse) -> None:
    for relation, columns in catalog(built).items():
        if relation.startswith(("insights.fact_", "insights.report_")):
            assert (columns.get("visibility"), columns.get("organization_id")) == ("text", "uuid"), relation
