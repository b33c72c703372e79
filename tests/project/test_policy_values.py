"""What the specification and the source contract fix, written down once more by hand: names, types, tokens, numbers."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from support.policy import catalog
from support.warehouse import Warehouse

from orchestration.config import tokens
from orchestration.config.files import (
    CONFIG_FILE,
    DAGS_FILE,
    PROFILES_FILE,
    PROJECT,
    Settings,
    dbt_variables,
    load_settings,
)
from orchestration.config.profile_model import Profile
from workshop.services import __main__ as local_main

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
        case_id uuid, organization_id uuid, label text, title text, status text, severity text,
        origin_vertical_level integer, origin_role text, opened_at timestamp with time zone,
        closed_at timestamp with time zone
    """,
    "dim_persons": """
        person_id uuid, organization_id uuid, full_name text, external_reference text, confidentiality_level text
    """,
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

# Specification, section 1.2; source contract, sections 1 and 5.
ENUMS = {
    "task_status": "PENDING IN_PROGRESS ON_HOLD COMPLETED FAILED ESCALATED CANCELLED",
    "task_priority": "LOW MEDIUM HIGH CRITICAL",
    "task_severity": "MINOR MODERATE MAJOR CRITICAL",
    "visibility": "PUBLIC INTERNAL RESTRICTED ANONYMISED",
    "environment": "dev staging prod offline",
    "task_category": "request incident update report distribution",
    "source": "email api manual sync",
    "case_status": "open in_progress resolved archived",
    "organization_status": "active suspended archived",
    "confidentiality_level": "normal sensitive highly_sensitive",
    "labelled_entity": "task case person learning_group",
    "task_event_type": (
        "created status_changed priority_changed ownership_changed comment_added email_linked escalated"
        " deadline_updated metadata_updated"
    ),
    "profile_source": "domain_profile organization_profile default_profile",
    "threshold_source": "config domain_profile organization_profile default_profile rule",
}
CLOSED = {"task_status": {"COMPLETED", "FAILED", "CANCELLED"}, "case_status": {"resolved", "archived"}}
HISTORICAL_TOKENS = {
    "task_severity": {"INFO": "MINOR"},
    "source": {"ui": "manual", "import": "sync", "insight": "api", "email_thread": "email"},
}

# Source contract, section 3. It has no names for the broadcasts.
LABEL_BASES = {"1": "CEO", "2": "C-level", "11": "Department head", "101": "Team lead", "1001": "Staff"}
BROADCAST_BASES = {"10", "100", "1000"}
LABEL_CATEGORIES = "Operational Strategic Compliance Customer Training Communication Financial Technical Crisis"
LABEL_SUBCATEGORIES = "Request Update Decision Report Distribution"

# Specification, sections 3.1 and 2.1 to 2.6, and the keys of decision D2. The environment is INSIGHTS_ENV's.
CONFIGURATION: dict[str, Any] = {
    "environment": "${INSIGHTS_ENV}",
    "warehouse": {
        "type": "postgres",
        "connection_url": "${INSIGHTS_WAREHOUSE_URL}",
        "schema": "insights",
        "read_only_user": "orgo_insights_ro",
        "write_user": "orgo_insights_etl",
        "max_reader_connections": 8,
    },
    "source": {"schema": "public"},
    "etl": {
        "owner_email": "data-team@example.org",
        "default_batch_size": 1000,
        "max_batch_size": 10000,
        "concurrency": 4,
        "overlap_hours": 6,
    },
    "cache": {
        "backend": "redis",
        "url": "${INSIGHTS_REDIS_URL}",
        "ttl_seconds": {
            "dashboard_default": 300,
            "dashboard_slow": {"dev": 60, "staging": 600, "prod": 900},
            "streaming_like": 30,
        },
        "max_keys_per_dashboard": {"dev": 100, "staging": 1000, "prod": 5000},
        "stale_seconds": 900,
        "compute_seconds": 30,
        "warm_seconds": 600,
        "timeout_ms": 200,
        "pause_seconds": 5,
    },
    "retention": {
        "raw_event_retention_days": {"dev": 730, "staging": 730, "prod": 730},
        "aggregated_retention_days": {"dev": 90, "staging": 730, "prod": 3650},
        "pattern_result_retention_days": {"dev": 90, "staging": 730, "prod": 1825},
    },
    "backups": {
        "rpo_minutes": {"dev": 1440, "staging": 60, "prod": 15},
        "rto_minutes": {"dev": 1440, "staging": 240, "prod": 60},
    },
    "exports": {
        "max_rows_per_export": {"dev": 100000, "staging": 100000, "prod": 50000},
        "max_parallel_exports_per_user": {"dev": 5, "staging": 3, "prod": 2},
        "pii_masking_enabled": True,
        "allowed_visibilities": ["PUBLIC", "INTERNAL"],
        "min_group_size": 5,
        "directory": "${INSIGHTS_EXPORT_DIR}",
    },
    "access": {
        "public_roles": ["*"],
        "internal_roles": ["*"],
        "restricted_roles": [],
        "anonymised_roles": [],
    },
    "offline": {"enabled": False},
    "patterns": {
        "default_profile_key": "default",
        "overrides_by_domain": {
            "maintenance": "hospital",
            "hr_case": "advocacy_group",
            "education_support": "retail_chain",
        },
        "weekly": {"window_days": 28, "min_events": 3, "min_distinct_sources": 1},
        "monthly": {"window_days": 180, "min_events": 5, "min_distinct_sources": 2},
        "yearly": {"window_days": 730, "min_events": 10, "min_distinct_sources": 3},
    },
    "reviews": {
        "url": "${INSIGHTS_CORE_API_URL}",
        "token": "${INSIGHTS_CORE_API_TOKEN}",
        "timeout_seconds": 10,
        "attempts_per_run": 4,
        "max_attempts": 12,
        "backoff_seconds": 1,
        "max_pause_seconds": 60,
        "stop_after_undelivered": 3,
    },
}

# Source contract, section 4: reactivity s, max escalation s, sensitivity, window days, min events,
# weekly / monthly / yearly, cross-department, high-risk, visibility, log retention days.
PROFILES = """
default                43200   172800  medium    30  3  yyy  y  y  INTERNAL    1095
friend_group           259200  1814400 low       90  5  nyy  n  n  PUBLIC      180
hospital               300     3600    high      7   2  yyy  y  y  RESTRICTED  3650
advocacy_group         43200   172800  medium    30  3  yyy  y  y  INTERNAL    1095
retail_chain           86400   259200  medium    60  4  nyy  y  n  INTERNAL    1825
military_organization  120     900     critical  7   2  yyy  y  y  RESTRICTED  36500
environmental_group    43200   172800  high      30  3  yyy  y  y  INTERNAL    1825
artist_collective      259200  1814400 low       90  5  nny  n  n  INTERNAL    180
"""

# Variables that a run gives, and that no file has a value for.
RUN_TIME_VARIABLES = {"as_of", "rebuild", "scan_all"}
READS_VARIABLE = r"""\b(?:var|per_environment)\(\s*['"](\w+)['"]"""


@pytest.mark.services
def test_marts_are_the_star_schema_of_the_contract(built: Warehouse) -> None:
    there = catalog(built)
    for table, written in STAR_SCHEMA.items():
        wanted = dict(column.strip().split(" ", 1) for column in " ".join(written.split()).split(","))
        found = {name: kind for name, kind in there[f"insights.{table}"].items() if name in wanted}
        assert found == wanted, table


@pytest.mark.services
def test_every_fact_and_report_has_a_visibility_and_an_organization(built: Warehouse) -> None:
    for relation, columns in catalog(built).items():
        if relation.startswith(("insights.fact_", "insights.report_")):
            assert (columns.get("visibility"), columns.get("organization_id")) == ("text", "uuid"), relation


def test_enums_are_those_of_the_specification() -> None:
    rows = _seed("tokens")
    enums = {name: sorted(group, key=lambda row: int(row["rank"])) for name, group in _groups(rows, "enum").items()}
    assert {name: " ".join(row["token"] for row in group) for name, group in enums.items()} == ENUMS
    flagged = [row for row in rows if row["is_closed"]]
    assert {row["enum"] for row in flagged} == set(CLOSED)
    assert all((row["is_closed"] == "true") is (row["token"] in CLOSED[row["enum"]]) for row in flagged)
    assert all(row["is_closed"] for row in rows if row["enum"] in CLOSED)
    historical = _groups(_seed("historical_tokens"), "enum")
    assert {
        name: {row["historical_token"]: row["token"] for row in group} for name, group in historical.items()
    } == HISTORICAL_TOKENS


def test_labels_are_those_of_the_contract() -> None:
    bases = _groups(_seed("label_bases"), "is_broadcast")
    assert {row["base"]: row["name"] for row in bases["false"]} == LABEL_BASES
    assert {row["base"] for row in bases["true"]} == BROADCAST_BASES
    for level, names in (("category", LABEL_CATEGORIES), ("subcategory", LABEL_SUBCATEGORIES)):
        rows = _seed("label_categories" if level == "category" else "label_subcategories")
        assert [(row[level], row["name"]) for row in rows] == [
            (str(n), name) for n, name in enumerate(names.split(), 1)
        ]


def test_the_configurations_enums_are_the_same() -> None:
    # Types cannot be read from a file, so the Literals repeat four enums of seeds/tokens.csv.
    enums = {name: [row["token"] for row in group] for name, group in _groups(_seed("tokens"), "enum").items()}
    assert list(get_args(tokens.Environment)) == enums["environment"]
    assert list(get_args(tokens.Visibility)) == enums["visibility"]
    assert list(get_args(tokens.Priority)) == enums["task_priority"]
    assert list(get_args(tokens.Severity)) == enums["task_severity"]
    fields = Profile.model_fields
    assert get_args(fields["transparency_level"].annotation) == ("full", "balanced", "restricted", "private")
    assert get_args(fields["escalation_granularity"].annotation) == ("relaxed", "moderate", "detailed", "aggressive")
    assert get_args(fields["notification_scope"].annotation) == ("user", "team", "department", "org_wide")
    assert get_args(fields["pattern_sensitivity"].annotation) == ("low", "medium", "high", "critical")


def test_the_configuration_is_that_of_the_specification() -> None:
    written = yaml.safe_load((PROJECT / CONFIG_FILE).read_text("utf-8"))
    assert written["insights"] == CONFIGURATION
    assert set(written) == {"metadata", "insights"}


def test_configuration_files_carry_orgos_metadata() -> None:
    for file in (CONFIG_FILE, DAGS_FILE, PROFILES_FILE):
        metadata = yaml.safe_load((PROJECT / file).read_text("utf-8"))["metadata"]
        assert set(metadata) == {"environment", "version", "last_updated"}
        assert re.fullmatch(r"3\.\d+", metadata["version"])
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", metadata["last_updated"])


def test_profiles_are_those_of_the_contract(settings: Settings) -> None:
    table = [line.split() for line in PROFILES.strip().splitlines()]
    assert [[name, *_as_in_the_table(profile)] for name, profile in settings.profiles.items()] == table


def test_a_profile_does_not_contradict_itself(settings: Settings) -> None:
    for name, profile in settings.profiles.items():
        frequency = profile.cyclic_overview.threshold_triggers.incident_frequency
        assert (frequency.min_events, frequency.window_days) == (
            profile.pattern_min_events,
            profile.pattern_window_days,
        ), name
        assert profile.default_task_metadata.default_reactivity_seconds == profile.reactivity_seconds, name


def test_defaults_of_dbt_are_those_of_the_configuration(settings: Settings) -> None:
    assert _project_variables() == dbt_variables(settings)


@pytest.mark.parametrize(
    ("variable", "old", "new"),
    [
        ("source_schema", "schema: public", "schema: orgo"),
        ("read_only_user", "read_only_user: orgo_insights_ro", "read_only_user: reader"),
        ("default_profile_key", "default_profile_key: default", "default_profile_key: hospital"),
        ("overrides_by_domain", "maintenance: hospital", "kitchen: hospital"),
        ("overlap_hours", "overlap_hours: 6", "overlap_hours: 7"),
        ("patterns", "weekly: { window_days: 28,", "weekly: { window_days: 27,"),
        ("raw_event_retention_days", "{ dev: 730, staging: 730, prod: 730 }", "{ dev: 731, staging: 730, prod: 730 }"),
        ("aggregated_retention_days", "{ dev: 90, staging: 730, prod: 3650 }", "{ dev: 90, staging: 731, prod: 3650 }"),
        (
            *("pattern_result_retention_days", "{ dev: 90, staging: 730, prod: 1825 }"),
            "{ dev: 90, staging: 730, prod: 1826 }",
        ),
    ],
)
def test_every_variable_of_dbt_follows_the_configuration(variable: str, old: str, new: str, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "config", tmp_path / "config")
    text = (PROJECT / CONFIG_FILE).read_text("utf-8")
    assert text.count(old) == 1
    (tmp_path / CONFIG_FILE).write_text(text.replace(old, new), "utf-8")
    shipped, changed = dbt_variables(load_settings()), dbt_variables(load_settings(tmp_path))
    assert {name for name in shipped if shipped[name] != changed[name]} == {variable}


def test_dbt_gets_exactly_the_variables_that_it_reads() -> None:
    sql = [file for folder in ("models", "macros", "snapshots", "tests") for file in (PROJECT / folder).rglob("*.sql")]
    files = [*sql, PROJECT / "models/staging/_staging__sources.yml"]
    read = {name for file in files for name in re.findall(READS_VARIABLE, file.read_text("utf-8"))}
    assert read - RUN_TIME_VARIABLES == set(_project_variables())
    assert read >= RUN_TIME_VARIABLES


def _project_variables() -> dict[str, Any]:
    variables: dict[str, Any] = yaml.safe_load((PROJECT / "dbt_project.yml").read_text("utf-8"))["vars"]
    return variables


def _seed(name: str) -> list[dict[str, str]]:
    with (PROJECT / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _groups(rows: list[dict[str, str]], column: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row)
    return found


def _as_in_the_table(profile: Profile) -> list[str]:
    schedule, triggers = profile.cyclic_overview.schedule, profile.cyclic_overview.threshold_triggers
    return [
        str(profile.reactivity_seconds),
        str(profile.max_escalation_seconds),
        profile.pattern_sensitivity,
        str(profile.pattern_window_days),
        str(profile.pattern_min_events),
        "".join("ny"[wanted] for wanted in (schedule.weekly, schedule.monthly, schedule.yearly)),
        "ny"[triggers.cross_departmental_trends],
        "ny"[triggers.high_risk_indicators],
        profile.default_task_metadata.visibility,
        str(profile.log_retention_days),
    ]


def test_the_private_services_know_the_configured_write_user() -> None:
    # workshop.services runs without the packages that read the configuration, so it repeats this one name.
    assert load_settings().insights.warehouse.write_user == local_main.ETL_ROLE
