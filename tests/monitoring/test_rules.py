"""The rules for Prometheus: promtool runs their tests, which try each alert in both directions."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.monitoring.prometheus import RULES

from orchestration.config.files import PROJECT, load_settings
from workshop.services.prometheus import prometheus_programs

TESTS = RULES.with_name("insights.rules_test.yaml")
TESTS_OF_DAYS = RULES.with_name("insights.rules_days_test.yaml")
SPECIFIED = {"InsightsEtlFailure", "InsightsEtlDelay", "InsightsReportingLatency", "InsightsCacheHitRatioLow"}


@pytest.fixture(scope="module")
def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = prometheus_programs() / "promtool"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, cwd=RULES.parent)


def test_each_alert_is_silent_when_it_must_be_and_fires_when_it_must() -> None:
    checked, tried = promtool("check", "rules", RULES), promtool("test", "rules", TESTS, TESTS_OF_DAYS)
    assert checked.returncode == 0, checked.stderr
    assert tried.returncode == 0, tried.stderr


def test_a_wrong_rule_fails_its_test(tmp_path: Path) -> None:
    text = RULES.read_text("utf-8")
    assert text.count("> 60\n") == 1
    (tmp_path / RULES.name).write_text(text.replace("> 60\n", ">= 60\n"), "utf-8")
    cases = yaml.safe_load(TESTS.read_text("utf-8"))
    cases["tests"] = [one for one in cases["tests"] if "InsightsEtlDelay" in str(one["promql_expr_test"])]
    (tmp_path / TESTS.name).write_text(yaml.safe_dump(cases), "utf-8")
    tried = promtool("test", "rules", tmp_path / TESTS.name)
    assert tried.returncode != 0
    assert "InsightsEtlDelay" in tried.stderr


def test_each_alert_is_tried_in_both_directions(alerts: dict[str, dict[str, Any]]) -> None:
    tried: dict[str, set[bool]] = {}
    for test in (test for file in (TESTS, TESTS_OF_DAYS) for test in yaml.safe_load(file.read_text("utf-8"))["tests"]):
        for asked in test["promql_expr_test"]:
            if name := re.search(r'alertname="(\w+)"', asked["expr"]):
                tried.setdefault(name[1], set()).add(bool(asked["exp_samples"]))
    assert tried == {name: {True, False} for name in alerts}
    assert set(alerts) >= SPECIFIED


def test_each_alert_is_looked_at_when_it_was_evaluated() -> None:
    """Between two evaluations promtool finds no alert, and a test of silence would pass whatever the rule says."""
    minutes = {"m": 1, "h": 60}
    for file in (TESTS, TESTS_OF_DAYS):
        cases = yaml.safe_load(file.read_text("utf-8"))
        step, *times = (
            int(text[:-1]) * minutes[text[-1]]
            for text in (
                cases["evaluation_interval"],
                *(asked["eval_time"] for test in cases["tests"] for asked in test["promql_expr_test"]),
            )
        )
        assert times
        assert [time for time in times if time % step] == [], file.name


def test_each_alert_says_what_to_do_and_the_page_has_it(alerts: dict[str, dict[str, Any]]) -> None:
    page = (PROJECT / "docs/monitoring.md").read_text("utf-8")
    for name, alert in alerts.items():
        assert set(alert["annotations"]) == {"summary", "action", "runbook"}, name
        assert alert["annotations"]["runbook"] == f"docs/monitoring.md#{name.lower()}"
        assert f"\n### {name}\n" in page
        assert alert["labels"]["severity"] in ("page", "ticket")


def test_rules_name_dags_of_the_inventory() -> None:
    ids = {dag.id for dag in load_settings().dags.values()}
    assert set(re.findall(r'dag_id!?="(\w+)"', RULES.read_text("utf-8"))) <= ids
