"""The shipped configuration has no errors, its check stays local, and schedules and aliases are read."""

from __future__ import annotations

import re

import pytest
from support.config_project import PROFILES, ConfigProject

from orchestration.config.cron import cron_problem
from orchestration.config.files import CONFIG_FILE, PROJECT, check
from orchestration.config.tokens import ENVIRONMENTS

pytest_plugins = ["support.config.project_copy"]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_shipped_files_have_no_error(project: ConfigProject, env: str) -> None:
    assert project.said("error", env) == []
    settings = project.check(env).settings
    assert settings
    assert settings.environment == env


# What the check is made of.
CHECKED = ("orchestration.config.", "orchestration.errors", "orchestration.flows")


def test_the_check_starts_no_process_and_opens_no_connection() -> None:
    package = PROJECT / "orchestration"
    modules = [*(package / "config").rglob("*.py"), package / "errors.py", package / "flows.py"]
    imported = {name for file in modules for name in re.findall(r"^(?:from|import) ([\w.]+)", file.read_text(), re.M)}
    outside = {name.split(".")[0] for name in imported if not name.startswith("orchestration.")}
    ours = {name for name in imported if name.startswith("orchestration.")}
    assert {name for name in ours if not name.startswith(CHECKED)} == set()
    assert outside & {"psycopg", "redis", "subprocess", "socket", "urllib", "http", "airflow", "dbt"} == set()


def test_aliases_of_doc_7_are_read(project: ConfigProject) -> None:
    project.edit("notification_scope: user", "notification_scope: individual", PROFILES)
    settings = project.check().settings
    assert settings
    assert settings.profiles["friend_group"].notification_scope == "user"


def test_a_profile_may_take_over_a_template(project: ConfigProject) -> None:
    text = project.text(PROFILES)
    start = text.index("  hospital:\n")
    end = text.index("  advocacy_group:\n")
    body = text[start + len("  hospital:\n") : end]
    template = f"  _careful: &careful\n{body}"
    project.write(
        text[:start] + template + "  hospital:\n    <<: *careful\n    log_retention_days: 4000\n\n" + text[end:],
        PROFILES,
    )
    settings = project.check().settings
    assert settings
    hospital = settings.profiles["hospital"]
    assert (hospital.log_retention_days, hospital.pattern_window_days) == (4000, 7)
    assert "_careful" not in settings.profiles
    line = project.edit(
        "    pattern_window_days: 7\n    pattern_min_events: 2\n    severity_threshold: MODERATE", "    x: 1", PROFILES
    )
    said = project.said()
    assert f"{PROFILES}:{line}: profiles.hospital.x: this key is unknown." in " ".join(said)


def test_a_scalar_stands_for_every_environment_and_offline_takes_prods(project: ConfigProject) -> None:
    settings = project.check().settings
    assert settings
    cache = settings.insights.cache
    assert cache.ttl_seconds.streaming_like.model_dump() == dict.fromkeys(ENVIRONMENTS, 30)
    assert cache.max_keys_per_dashboard.model_dump() == {"dev": 100, "staging": 1000, "prod": 5000, "offline": 5000}
    project.edit("{ dev: 100, staging: 1000, prod: 5000 }", "{ dev: 100, staging: 1000, prod: 5000, offline: 7 }")
    settings = project.check().settings
    assert settings
    assert settings.insights.cache.max_keys_per_dashboard.of("offline") == 7


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("0 2 * * *", None),
        ("*/15 * * * *", None),
        ("0,30 9-17/2 1 jan-MAR mon", None),
        ("5/20 0 29 2 *", None),
        ("0 0 31 2 1", None),  # a day of the week makes up for a day of the month that never comes
        ("0 0 31 2 *", "never runs: none of its months has a day 31"),
        ("0 0 31 4,6 *", "never runs"),
        ("0 2 * *", "has 4 fields"),
        ("@daily", "has 1 fields"),
        ("", "has 0 fields"),
        ("60 2 * * *", "'60' is not a valid minute"),
        ("0 24 * * *", "'24' is not a valid hour"),
        ("0 2 0 * *", "'0' is not a valid day of month"),
        ("0 2 * 13 *", "'13' is not a valid month"),
        ("0 2 * * mo", "'mo' is not a valid day of week"),
        ("0 5-2 * * *", "'5-2' is not a valid hour"),
        ("*/0 * * * *", "'*/0' is not a valid minute"),
        ("1,,2 * * * *", "'1,,2' is not a valid minute"),
        ("-1 * * * *", "'-1' is not a valid minute"),
        ("\N{ARABIC-INDIC DIGIT ONE} * * * *", "is not a valid minute"),
    ],
)
def test_cron_expressions(expression: str, said: str | None) -> None:
    problem = cron_problem(expression)
    assert problem is None if said is None else said in str(problem), problem


def test_the_shipped_files_are_checked_in_place() -> None:
    assert [str(p) for p in check(environ={"INSIGHTS_ENV": "prod"}).problems if p.level == "error"] == []
    assert (PROJECT / CONFIG_FILE).exists()
