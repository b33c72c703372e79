"""`insights config check`, `show` and `schema`, as a person sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator
from support.config_project import CONFIG, DAGS, PROFILES
from yaml import safe_load

from orchestration.cli import commands
from orchestration.config.files import CONFIG_FILE, DAGS_FILE, PROFILES_FILE, PROJECT
from orchestration.config.masking import as_written, mask, shown
from orchestration.errors import InsightsError

SHIPPED = (PROJECT / CONFIG).read_text("utf-8").splitlines()


def insights(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["config", *arguments])


def line_of(text: str, file: str = CONFIG) -> int:
    lines = (PROJECT / file).read_text("utf-8").splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if text in line]
    return number


def test_check_prints_what_it_finds_and_counts() -> None:
    result = insights("check")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert [line.split(":")[0] for line in lines] == ["warning"] * 3 + ["note"] * 13 + [
        "0 errors, 3 warnings, 13 notes"
    ]


def test_check_fails_on_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "patterns.yaml"
    path.write_text("patterns:\n  weekly: {min_events: x}\n  monthly: {max_events: 3}\n", "utf-8")
    monkeypatch.setenv("INSIGHTS_PATTERN_CONFIG_PATH", str(path))
    result = insights("check", "--env", "prod")
    assert result.exit_code == 1
    assert result.output.splitlines()[:2] == [
        f"error: {path}:2: insights.patterns.weekly.min_events is x: must be a whole number, without quotes",
        f"error: {path}:3: insights.patterns.monthly.max_events: this key is unknown. Did you mean min_events? Known"
        " here: window_days, min_events, min_distinct_sources",
    ]
    assert result.output.splitlines()[-1].startswith("2 errors, 3 warnings, 13 notes")
    with pytest.raises(InsightsError, match="has 2 errors"):
        commands.main(["config", "show"], standalone_mode=False)


def shown_lines(env: str) -> dict[str, str]:
    result = insights("show", "--env", env)
    assert result.exit_code == 0, result.output
    return dict(line.split(" = ", 1) for line in result.output.splitlines())


def test_show_resolves_values_and_says_where_each_came_from() -> None:
    prod = shown_lines("prod")
    slow, keys = line_of("dashboard_slow"), line_of("max_keys_per_dashboard")
    assert prod["insights.environment"] == f'"prod"  # {CONFIG}:9, ${{INSIGHTS_ENV}}'
    assert prod["insights.etl.concurrency"] == f"4  # {CONFIG}:{line_of('concurrency')}"
    assert prod["insights.cache.ttl_seconds.dashboard_slow"] == f"900  # {CONFIG}:{slow}"
    assert prod["insights.cache.url"].startswith("(not set)  # ")
    assert prod["etl_dags.weekly_pattern_review.schedule"] == f'"0 3 * * 1"  # {DAGS}:{line_of("0 3 * * 1", DAGS)}'
    assert prod["profiles.hospital.cyclic_overview.threshold_triggers.incident_frequency.window_days"].startswith(
        "7  #"
    )
    assert prod["INSIGHTS_WAREHOUSE_URL"] == "(not set)  # no default; used by loads, reviews, reports-api"
    assert prod["INSIGHTS_ENV"] == '"prod"  # environment; used by everything'
    offline = shown_lines("offline")
    assert offline["insights.cache.max_keys_per_dashboard"] == f"5000  # {CONFIG}:{keys}, prod's value"
    assert offline["insights.cache.ttl_seconds.dashboard_default"].endswith(f"{CONFIG}:{slow - 1}")
    assert shown_lines("dev")["insights.cache.ttl_seconds.dashboard_slow"] == f"60  # {CONFIG}:{slow}"


def test_show_says_why_nothing_would_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_DEFAULT_PROFILE_KEY", "hospitol")
    result = insights("show", "--env", "prod")
    assert result.exit_code == 1
    assert "insights.etl.concurrency = 4" in result.output  # and then, on the other stream:
    assert 'INSIGHTS_DEFAULT_PROFILE_KEY is "hospitol": there is no such profile. Did you mean hospital?' in str(
        result.exception
    )
    monkeypatch.setenv("INSIGHTS_ENV", "production")  # whose values would these be?
    result = insights("show")
    assert (result.exit_code, result.output) == (1, "")
    assert 'INSIGHTS_ENV is "production": must be one of dev, staging, prod, offline. Did you mean prod?' in str(
        result.exception
    )


def test_show_has_every_key_of_the_files() -> None:
    shown_keys = set(shown_lines("dev"))
    written = {
        "insights": safe_load((PROJECT / CONFIG_FILE).read_text("utf-8"))["insights"],
        "etl_dags": safe_load((PROJECT / DAGS_FILE).read_text("utf-8"))["etl_dags"],
        "profiles": safe_load((PROJECT / PROFILES_FILE).read_text("utf-8"))["profiles"],
    }
    missing = [key for key in _leaves(written, "") if not any(key == s or key.startswith(f"{s}.") for s in shown_keys)]
    assert missing == []


def _leaves(value: object, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [path.removeprefix(".")]
    return [leaf for key, item in value.items() for leaf in _leaves(item, f"{path}.{key}")]


def test_show_masks_secrets_and_says_what_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "patterns.yaml"
    path.write_text("insights:\n  patterns:\n    weekly:\n      min_events: 4\n", "utf-8")
    for name, value in {
        "INSIGHTS_WAREHOUSE_URL": "postgresql://etl:p%40w-one@h/orgo?sslpassword=pw-two",
        "INSIGHTS_REDIS_URL": "redis://:pw-three@h:6379/1",
        "INSIGHTS_CORE_API_TOKEN": "pw-four",
        "INSIGHTS_ALERT_WEBHOOK_URL": "https://h/pw-seven",
        "INSIGHTS_ALERT_SMTP_URL": "smtp://a:pw-eight@h",
        "INSIGHTS_DEFAULT_PROFILE_KEY": "hospital",
        "INSIGHTS_PATTERN_CONFIG_PATH": str(path),
        "AIRFLOW__CORE__FERNET_KEY": f"pw-five{'A' * 36}=",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://a:pw-six@h/airflow",
    }.items():
        monkeypatch.setenv(name, value)
    found = shown_lines("prod")
    assert [line for line in found.values() if "pw-" in line or "p%40w" in line] == []
    url = '"postgresql://etl:***@h/orgo?sslpassword=***"'
    assert found["insights.warehouse.connection_url"] == f"{url}  # {CONFIG}:13, ${{INSIGHTS_WAREHOUSE_URL}}"
    assert found["INSIGHTS_WAREHOUSE_URL"].startswith(f"{url}  # environment")
    assert found["insights.reviews.token"].startswith("***  # ")
    assert found["insights.alerts.webhook_url"].startswith("***  # ")
    assert found["INSIGHTS_CORE_API_TOKEN"].startswith("***  # environment")
    assert found["insights.patterns.weekly.min_events"] == f"4  # {path}:4"
    line = line_of("default_profile_key")
    assert found["insights.patterns.default_profile_key"] == (
        f'"hospital"  # INSIGHTS_DEFAULT_PROFILE_KEY; not {CONFIG}:{line}'
    )


def test_the_schemas_accept_the_shipped_files_and_refuse_others() -> None:
    for name, file in {"config": CONFIG, "dags": DAGS, "profiles": PROFILES}.items():
        validator = Draft202012Validator(json.loads(insights("schema", name).output))
        text = (PROJECT / file).read_text("utf-8")
        assert [error.message for error in validator.iter_errors(safe_load(text))] == [], name
        assert not validator.is_valid(safe_load(text.replace("metadata:", "meta:", 1)))
    validator = Draft202012Validator(json.loads(insights("schema").output))
    text = "\n".join(SHIPPED)
    assert not validator.is_valid(safe_load(text.replace("{ dev: 100, staging: 1000, prod: 5000 }", "{ dev: 100 }")))
    assert not validator.is_valid(safe_load(text.replace("concurrency: 4", "concurrency: four")))
    assert not validator.is_valid(safe_load(text.replace("[PUBLIC, INTERNAL]", "[PUBLIC, SECRET]")))
    assert not validator.is_valid(safe_load(text.replace("pii_masking_enabled: true", "pii_masking_enabled: 1")))
    assert validator.is_valid(safe_load(text.replace("concurrency: 4", 'concurrency: "${THREADS}"')))
    assert validator.is_valid(safe_load(text.replace("pii_masking_enabled: true", 'pii_masking_enabled: "${MASKED}"')))


def test_every_key_of_config_yaml_has_a_description() -> None:
    schema = json.loads(insights("schema", "config").output)
    sections = {"ConfigFile": schema} | schema["$defs"]
    silent = [
        f"{name}.{key}"
        for name, section in sections.items()
        for key, value in section.get("properties", {}).items()
        if "description" not in value and "$ref" not in value and name != "PerEnvironment"
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p@ss/w:rd@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("redis://:p@h", "redis://:***@h"),
        ("host=h password=pw dbname=d", "host=h password=*** dbname=d"),
        ("host=h password='p w' dbname=d", "host=h password=*** dbname=d"),
        ("https://h/?token=abc&x=1", "https://h/?token=***&x=1"),
        ("default_profile_key is default", "default_profile_key is default"),
    ],
)
def test_masking(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_masking_by_key_and_length() -> None:
    assert shown("insights.reviews.token", "abc") == "***"
    assert shown("x", {"password": "abc", "a": [{"api_key": "b"}, "postgresql://u:p@h"]}) == (
        '{"password": "***", "a": [{"api_key": "***"}, "postgresql://u:***@h"]}'
    )
    assert shown("insights.patterns.default_profile_key", "default") == '"default"'
    assert len(as_written("x", "y" * 500)) == 100
