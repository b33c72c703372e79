"""The invariants of sections 2 and 3: an error where a DAG that needs one is enabled, a warning elsewhere (D1)."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.config_project import CONFIG, DAGS, PROFILES, ConfigProject

from orchestration.config.files import load_settings
from orchestration.config.rules import invariant_problems
from orchestration.errors import InsightsError

RAW = "raw_event_retention_days: { dev: 730, staging: 730, prod: 730 }"
AGGREGATED = "aggregated_retention_days: { dev: 90, staging: 730, prod: 3650 }"
RESULTS = "pattern_result_retention_days: { dev: 90, staging: 730, prod: 1825 }"
RPO = "rpo_minutes: { dev: 1440, staging: 60, prod: 15 }"


@pytest.fixture
def project(tmp_path: Path) -> ConfigProject:
    return ConfigProject.copy_to(tmp_path)


def levels(project: ConfigProject, env: str = "prod") -> dict[tuple[str, str], str]:
    """Return {(key, environment): level} of the broken invariants."""
    settings = project.check(env).settings
    assert settings
    found: dict[tuple[str, str], str] = {}
    for problem in invariant_problems(settings):
        found[(problem.key.removeprefix("insights."), problem.environment or "every")] = problem.level
    return found


SHIPPED = {
    ("retention.aggregated_retention_days.dev", "dev"): "warning",
    ("retention.pattern_result_retention_days.dev", "dev"): "warning",
}


def test_the_shipped_defaults_break_some_of_them_in_dev(project: ConfigProject) -> None:
    assert levels(project) == SHIPPED
    line = project.line_of(AGGREGATED)
    assert project.said("warning") == [
        f"{CONFIG}:{line}: insights.retention.aggregated_retention_days.dev is 90: must be at least"
        " raw_event_retention_days (730), or months are deleted before their facts (in dev)",
        f"{CONFIG}:{line + 1}: insights.retention.pattern_result_retention_days.dev is 90: must be at least"
        " 180 days, which the monthly review reads (in dev)",
        f"{CONFIG}:{line + 1}: insights.retention.pattern_result_retention_days.dev is 90: must be at least"
        " 730 days, which the yearly review reads (in dev)",
    ]


def test_raw_retention_holds_the_yearly_window_where_the_yearly_review_runs(project: ConfigProject) -> None:
    line = project.edit(RAW, "raw_event_retention_days: 729")
    key = "retention.raw_event_retention_days."
    assert levels(project) == SHIPPED | {
        (f"{key}dev", "dev"): "warning",
        (f"{key}staging", "staging"): "warning",  # the yearly review runs in prod only
        (f"{key}prod", "prod"): "error",
    }
    assert project.said() == [
        f"{CONFIG}:{line}: insights.retention.raw_event_retention_days.prod is 729: must be at least"
        " patterns.yearly.window_days (730), or the review misses cases (in prod)"
    ]


def test_raw_retention_holds_the_monthly_window_in_staging_too(project: ConfigProject) -> None:
    project.edit(RAW, "raw_event_retention_days: { dev: 730, staging: 179, prod: 730 }")
    said = [text.split(" is ")[0] + text[text.rindex(" (in ") :] for text in project.said()]
    assert said == [f"{CONFIG}:51: insights.retention.raw_event_retention_days.staging (in staging)"]
    project.edit("staging: 179", "staging: 180")
    assert project.said() == []


def test_aggregates_outlive_facts(project: ConfigProject) -> None:
    project.edit(AGGREGATED, "aggregated_retention_days: { dev: 90, staging: 729, prod: 730 }")
    assert levels(project) == SHIPPED | {("retention.aggregated_retention_days.staging", "staging"): "error"}


def test_pattern_results_outlive_the_yearly_review(project: ConfigProject) -> None:
    project.edit(RESULTS, "pattern_result_retention_days: { dev: 730, staging: 729, prod: 729 }")
    assert levels(project) == {
        ("retention.aggregated_retention_days.dev", "dev"): "warning",
        ("retention.pattern_result_retention_days.staging", "staging"): "warning",
        ("retention.pattern_result_retention_days.prod", "prod"): "error",
    }


def test_offline_counts_where_it_is_used(project: ConfigProject) -> None:
    project.edit(RESULTS, "pattern_result_retention_days: { dev: 730, staging: 730, prod: 729 }")
    key = ("retention.pattern_result_retention_days.offline", "offline")
    assert key not in levels(project, "prod")
    assert levels(project, "offline")[key] == "warning"
    project.edit("  offline:\n    enabled: false", "  offline:\n    enabled: true")
    assert levels(project, "prod")[key] == "error"
    project.edit("prod: 729 }", "prod: 729, offline: 730 }")
    assert key not in levels(project, "offline")


def test_enabling_a_dag_makes_an_error_of_a_warning(project: ConfigProject) -> None:
    project.edit('enabled_environments: ["prod"]', 'enabled_environments: ["prod", "dev"]', DAGS)
    assert levels(project)[("retention.pattern_result_retention_days.dev", "dev")] == "error"
    assert levels(project)[("retention.aggregated_retention_days.dev", "dev")] == "warning"


@pytest.mark.parametrize("monthly", [28, 27])
def test_windows_nest(project: ConfigProject, monthly: int) -> None:
    line = project.edit("window_days: 180", f"window_days: {monthly}")
    key = "patterns.monthly.window_days"
    assert levels(project) == SHIPPED | {
        (key, "dev"): "warning",
        (key, "staging"): "error",
        (key, "prod"): "error",
        (key, "offline"): "warning",
    }
    assert project.said()[0] == (
        f"{CONFIG}:{line}: insights.patterns.monthly.window_days is {monthly}: must be more than"
        " patterns.weekly.window_days (28): a longer cadence needs a longer window (in staging)"
    )


def test_a_lower_threshold_over_a_longer_window_is_a_warning(project: ConfigProject) -> None:
    project.edit("min_events: 10", "min_events: 4")
    assert levels(project) == SHIPPED | {("patterns.yearly.min_events", "every"): "warning"}


@pytest.mark.parametrize(("minutes", "is_broken"), [(10080, False), (10081, True)])
def test_recovery_is_within_the_shortest_critical_window(project: ConfigProject, minutes: int, is_broken: bool) -> None:
    # hospital (high) and military_organization (critical) count 7 days: 10,080 minutes
    line = project.edit(RPO, f"rpo_minutes: {minutes}")
    said = project.said()
    if not is_broken:
        assert said == []
        return
    assert levels(project)[("backups.rpo_minutes.dev", "dev")] == "warning"
    assert said == [
        f"{CONFIG}:{line}: insights.backups.rpo_minutes.{env} is 10081: must be at most 10080, the 7 days of the"
        f" profile hospital: the shortest window of a critical pattern (in {env})"
        for env in ("staging", "prod")
    ]


def test_recovery_ignores_profiles_whose_patterns_are_not_critical_or_off(project: ConfigProject) -> None:
    text = project.text(PROFILES).replace("pattern_sensitivity: high", "pattern_sensitivity: medium")
    project.write(text.replace("pattern_sensitivity: critical", "pattern_sensitivity: low"), PROFILES)
    project.edit(RPO, "rpo_minutes: 40320")  # the 28 days of the weekly review
    assert project.said() == []
    project.edit("rpo_minutes: 40320", "rpo_minutes: 40321")
    assert "patterns.weekly.window_days" in project.said()[0]
    start = text.index("  military_organization:")
    project.write(text[:start] + text[start:].replace("enabled: true", "enabled: false", 1), PROFILES)
    assert "the 28 days of patterns.weekly.window_days" in project.said()[0]


def test_a_profile_that_contradicts_itself_is_a_warning(project: ConfigProject) -> None:
    text = project.text(PROFILES)
    project.write(
        text.replace(
            "incident_frequency: { min_events: 4, window_days: 60 }",
            "incident_frequency: { min_events: 5, window_days: 61 }",
        ),
        PROFILES,
    )
    lines = [project.line_of("pattern_window_days: 60", PROFILES), project.line_of("pattern_min_events: 4", PROFILES)]
    found = [text for text in project.said("warning") if text.startswith(PROFILES)]
    assert found == [
        f"{PROFILES}:{lines[0]}: profiles.retail_chain.pattern_window_days is 60:"
        " threshold_triggers.incident_frequency.window_days is 61 and takes precedence; make them equal",
        f"{PROFILES}:{lines[1]}: profiles.retail_chain.pattern_min_events is 4:"
        " threshold_triggers.incident_frequency.min_events is 5 and takes precedence; make them equal",
    ]
    assert project.said() == []


def test_rows_that_must_not_be_exported_are_a_warning(project: ConfigProject) -> None:
    line = project.edit("[PUBLIC, INTERNAL]", "[PUBLIC, ANONYMISED]")
    assert project.said("warning")[-1].startswith(
        f"{CONFIG}:{line}: insights.exports.allowed_visibilities.1 is ANONYMISED: is exported in aggregates only"
    )


def test_a_run_looks_at_its_own_environment_only(project: ConfigProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project.edit(RESULTS, "pattern_result_retention_days: { dev: 90, staging: 730, prod: 729 }")
    for env in ("dev", "staging", "offline"):
        monkeypatch.setenv("INSIGHTS_ENV", env)
        assert load_settings(project.folder).environment == env
        assert len(project.said("error", env)) == 1  # `insights config check` looks at all
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    with pytest.raises(InsightsError, match=r"has 1 error:\n  .*pattern_result_retention_days.prod is 729"):
        load_settings(project.folder)
