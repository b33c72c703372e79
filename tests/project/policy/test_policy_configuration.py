"""The configuration is that of the specification, written down a second time by hand, and dbt follows it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

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
from orchestration.warehouse.releases import this_release
from workshop.services import __main__ as local_main

# Specification, sections 3.1 and 2.1 to 2.6, and the keys of decision D2. The environment is INSIGHTS_ENV's.
CONFIGURATION: dict[str, Any] = {
    "environment": "${INSIGHTS_ENV}",
    "warehouse": {
        "type": "postgres",
        "connection_url": "${INSIGHTS_WAREHOUSE_URL}",
        "path": "${INSIGHTS_DUCKDB_PATH}",
        "serving_url": "${INSIGHTS_SERVING_URL}",
        "publication_late_hours": 36,
        "schema": "insights",
        "read_only_user": "orgo_insights_ro",
        "write_user": "orgo_insights_etl",
        "export_user": "orgo_insights_export",
        "max_reader_connections": 8,
        "reader_limits": {
            "connections": 40,
            "login_connections": 4,
            "statement_seconds": 300,
            "idle_in_transaction_seconds": 600,
            "temp_file_mb": 2048,
        },
    },
    "source": {"schema": "public", "snapshot_directory": "${INSIGHTS_SNAPSHOT_DIR}"},
    "etl": {
        "owner_email": "data-team@example.org",
        "default_batch_size": 1000,
        "max_batch_size": 10000,
        "concurrency": 4,
        "extra_connections": 3,
        "queue": "insights_etl",
        "swap_attempts": 60,
        "overlap_hours": 6,
        "source_stale_hours": 72,
        "source_stopped_hours": 168,
        "source_hours": {},
        "late_after_minutes": 60,
        "max_vanished_share": 0.2,
        "min_vanished_rows": 20,
        "max_share_behind_cutoff": 0.5,
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
        "keep_days": 30,
        "stanza": "insights",
        "repository": "${INSIGHTS_BACKUP_REPOSITORY}",
        "airflow_directory": "${INSIGHTS_BACKUP_AIRFLOW_DIR}",
        "directory": "/var/lib/orgo-insights-backup",
        "processes": 2,
        "s3_endpoint": "s3.amazonaws.com",
        "s3_region": "us-east-1",
        "s3_ca_file": None,
    },
    "exports": {
        "max_rows_per_export": {"dev": 100000, "staging": 100000, "prod": 50000},
        "max_parallel_exports_per_user": {"dev": 5, "staging": 3, "prod": 2},
        "max_rows_per_user_per_day": None,
        "pii_masking_enabled": True,
        "allowed_visibilities": ["PUBLIC", "INTERNAL"],
        "min_group_size": 5,
        "connection_url": "${INSIGHTS_EXPORT_WAREHOUSE_URL}",
        "directory": "${INSIGHTS_EXPORT_DIR}",
        "scheduled": [],
    },
    "access": {
        "public_roles": ["*"],
        "internal_roles": ["*"],
        "restricted_roles": [],
        "anonymised_roles": [],
    },
    "anomalies": {"days": 7, "weeks": 8, "factor": 2, "min_tasks": 20, "max_share_change": 0.2},
    "offline": {"enabled": False},
    "metrics": {"host": "127.0.0.1", "port": 9108, "timeout_ms": 5000},
    "alerts": {
        "webhook_url": "${INSIGHTS_ALERT_WEBHOOK_URL}",
        "smtp_url": "${INSIGHTS_ALERT_SMTP_URL}",
        "mail_from": "orgo-insights@localhost",
        "timeout_seconds": 20,
    },
    "digests": {
        "recipients": [],
        "paused": False,
        "page_url": None,
        "max_patterns": 20,
        "max_kilobytes": 1000,
        "max_age_days": 10,
        "attempts_per_run": 3,
        "pause_seconds": 5,
        "timeout_seconds": 20,
    },
    "reports_api": {
        "host": "127.0.0.1",
        "port": 8080,
        "threads": 8,
        "timeout_ms": 1300,
        "busy_ms": 250,
        "recent_ms": 5000,
        "retry_after_seconds": 1,
        "requests_per_minute": 600,
        "cors_origins": [],
        "case_link": None,
        "task_link": None,
        "token_algorithm": "HS256",
        "token_audience": None,
        "clock_skew_seconds": 30,
        "superuser_roles": [],
    },
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
    # The release is the project's own: `insights build` does not pass it.
    assert _project_variables() == dbt_variables(settings) | {"release": this_release()}


@pytest.mark.parametrize(
    ("variable", "old", "new"),
    [
        ("source_schema", "schema: public", "schema: orgo"),
        ("offline_enabled", "  offline:\n    enabled: false", "  offline:\n    enabled: true"),
        ("read_only_user", "read_only_user: orgo_insights_ro", "read_only_user: reader"),
        ("default_profile_key", "default_profile_key: default", "default_profile_key: hospital"),
        ("overrides_by_domain", "maintenance: hospital", "kitchen: hospital"),
        ("swap_attempts", "swap_attempts: 60", "swap_attempts: 61"),
        ("overlap_hours", "overlap_hours: 6", "overlap_hours: 7"),
        ("source_stale_hours", "source_stale_hours: 72", "source_stale_hours: 73"),
        ("source_stopped_hours", "source_stopped_hours: 168", "source_stopped_hours: 169"),
        ("source_stopped_hours", "source_hours: {}", "source_hours: { tasks: { stopped: 200 } }"),
        ("anomalies", "weeks: 8", "weeks: 9"),
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
