"""INSIGHTS_PATTERN_CONFIG_PATH: thresholds of another file, checked the same way, on their way to dbt."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.config_project import CONFIG, ConfigProject

from orchestration.config.files import dbt_variables, load_settings

SHIPPED = {
    "weekly": {"window_days": 28, "min_events": 3, "min_distinct_sources": 1},
    "monthly": {"window_days": 180, "min_events": 5, "min_distinct_sources": 2},
    "yearly": {"window_days": 730, "min_events": 10, "min_distinct_sources": 3},
}


@pytest.fixture
def project(tmp_path: Path) -> ConfigProject:
    return ConfigProject.copy_to(tmp_path)


def override(project: ConfigProject, text: str) -> dict[str, str]:
    path = project.folder / "patterns.yaml"
    path.write_text(text, "utf-8")
    return {"INSIGHTS_PATTERN_CONFIG_PATH": str(path)}


@pytest.mark.parametrize(
    "text",
    [
        "patterns:\n  weekly: {min_events: 4}\n  overrides_by_domain: {kitchen: hospital}\n",
        "insights:\n  patterns:\n    weekly:\n      min_events: 4\n    overrides_by_domain:\n      kitchen: hospital\n",
    ],
)
def test_a_key_replaces_that_key_alone_and_reaches_dbt(
    project: ConfigProject, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    for name, value in override(project, text).items():
        monkeypatch.setenv(name, value)
    variables = dbt_variables(load_settings(project.folder))
    assert variables["patterns"] == SHIPPED | {"weekly": SHIPPED["weekly"] | {"min_events": 4}}
    assert variables["overrides_by_domain"] == {
        "maintenance": "hospital",
        "hr_case": "advocacy_group",
        "education_support": "retail_chain",
        "kitchen": "hospital",
    }


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            "patterns:\n  weekly: {min_events: 0}\n",
            2,
            "insights.patterns.weekly.min_events is 0: must be greater than 0",
        ),
        (
            "patterns:\n  weekly:\n    min_event: 4\n",
            3,
            "insights.patterns.weekly.min_event: this key is unknown. Did you",
        ),
        ("patterns:\n  weekly: 4\n", 2, "insights.patterns.weekly is 4: must be a mapping"),
        ("\npattern: {}\n", 2, "pattern: this key is unknown. Did you mean patterns?"),
        (
            "insights:\n  etl: {concurrency: 2}\n  patterns: {}\n",
            2,
            "insights.etl: this key is unknown. Known here: patterns",
        ),
        (
            "patterns: {}\ninsights: {patterns: {}}\n",
            1,
            "patterns: the thresholds must be either here or below",
        ),
        ("patterns: 3\n", 1, "patterns is 3: must be a mapping"),
        ("patterns:\n\tweekly: {}\n", "2:1", "a tab in the indentation, which YAML forbids; use spaces"),
        (
            "metadata: {environment: dev, version: '3.1', last_updated: '2026-01-01'}\n",
            1,
            'metadata.environment is "dev"',
        ),
        (
            "patterns:\n  default_profile_key: clinic\n",
            2,
            'insights.patterns.default_profile_key is "clinic": there is no',
        ),
        ("patterns:\n  overrides_by_domain:\n    a: clinic\n", 3, "insights.patterns.overrides_by_domain.a is"),
        (
            "patterns:\n  yearly: {window_days: 180}\n",
            2,
            "insights.patterns.yearly.window_days is 180: must be more than",
        ),
        (
            "patterns:\n  weekly: {min_events: '${EVENTS}'}\n",
            2,
            'insights.patterns.weekly.min_events is "${EVENTS}": the',
        ),
    ],
)
def test_a_mistake_names_that_file_and_line(project: ConfigProject, text: str, line: object, said: str) -> None:
    variables = override(project, text)
    found = project.said(**variables)
    assert {text.split(" (in ")[0] for text in found} == {found[0].split(" (in ")[0]}
    assert found[0].startswith(f"{variables['INSIGHTS_PATTERN_CONFIG_PATH']}:{line}: {said}")


def test_a_longer_window_is_held_against_the_retention_of_the_other_file(project: ConfigProject) -> None:
    variables = override(project, "patterns: {yearly: {window_days: 731}}\n")
    line = project.line_of("raw_event_retention_days: {")
    assert project.said(**variables) == [
        f"{CONFIG}:{line}: insights.retention.raw_event_retention_days.prod is 730: must be at least"
        " patterns.yearly.window_days (731), or the review misses cases (in prod)"
    ]


def test_values_of_the_environment_count_there_too(project: ConfigProject) -> None:
    variables = override(project, "patterns: {weekly: {min_events: '${EVENTS}'}}\n")
    settings = project.check(EVENTS="6", **variables).settings
    assert settings
    assert settings.insights.patterns.weekly.min_events == 6


@pytest.mark.parametrize("text", ["patterns: {}\n", "insights:\n", "insights: {patterns: {}}\n", "patterns:\n"])
def test_a_file_without_thresholds_changes_nothing(project: ConfigProject, text: str) -> None:
    variables = override(project, text)
    settings = project.check(**variables).settings
    assert settings
    assert dbt_variables(settings)["patterns"] == SHIPPED
    assert project.said(**variables) == []


def test_a_file_that_is_not_there_stops_everything(project: ConfigProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    path, remedy = str(project.folder / "none.yaml"), "; set the path of a file with thresholds, or unset the variable"
    for name, why in (
        (path, "No such file or directory"),
        ("none.yaml", f"No such file or directory (relative to {Path.cwd()}; an absolute path is safer)"),
        (str(project.folder), "Is a directory"),
    ):
        said = project.said(INSIGHTS_PATTERN_CONFIG_PATH=name)
        assert said == [f'environment: INSIGHTS_PATTERN_CONFIG_PATH is "{name}": cannot be read: {why}{remedy}']


def test_its_problems_are_said_even_when_the_configuration_cannot_be_read(project: ConfigProject) -> None:
    project.write("a: [\n")
    said = project.said(**override(project, "pattern: {}\n"))
    assert len(said) == 2
