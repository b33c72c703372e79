"""dbt works with the values that the configuration resolves to, or refuses to start."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support import in_process
from support.config_project import ConfigProject
from support.plain_dbt import libpq_variables
from support.warehouse import Warehouse

from orchestration.config.files import load_settings

pytestmark = pytest.mark.services


def test_plain_dbt_refuses_what_it_would_get_wrong(prepared: Warehouse, tmp_path: Path) -> None:
    variables = libpq_variables(prepared.postgres, prepared.name, prepared.settings.insights.warehouse.write_user)
    command = ("run", "--select", "dim_dates", "--target", "prod")
    succeeded, said = in_process.run_plain(variables | {"INSIGHTS_ENV": "dev"}, *command)
    assert not succeeded
    assert "The dbt target is prod, and INSIGHTS_ENV is dev; they must agree" in " ".join(said.split())
    patterns = {"INSIGHTS_ENV": "prod", "INSIGHTS_PATTERN_CONFIG_PATH": str(tmp_path / "patterns.yaml")}
    succeeded, said = in_process.run_plain(variables | patterns, *command)
    assert not succeeded
    assert "INSIGHTS_PATTERN_CONFIG_PATH is set, and plain dbt does not read that file" in " ".join(said.split())
    succeeded, said = in_process.run_plain(variables | {"INSIGHTS_ENV": "offline"}, *command[:-2])
    assert not succeeded
    assert "Loads are disabled in offline. Set INSIGHTS_ENV to another environment" in " ".join(said.split())
    assert prepared.value("select to_regclass('insights.dim_dates') is null")


def test_offline_loads_where_the_configuration_enables_it(
    prepared: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "offline")
    project = ConfigProject.copy_to(tmp_path)
    project.edit("  offline:\n    enabled: false", "  offline:\n    enabled: true")
    result = replace(prepared, settings=load_settings(project.folder)).build("--select", "dim_dates", command="run")
    assert result.succeeded, result.output


def test_overridden_thresholds_reach_the_patterns(
    built: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "patterns.yaml"
    path.write_text("patterns:\n  monthly: { min_events: 4, min_distinct_sources: 1 }\n", "utf-8")
    monkeypatch.setenv("INSIGHTS_PATTERN_CONFIG_PATH", str(path))
    warehouse = replace(built, settings=load_settings())
    result = warehouse.build("--select", "pattern_monthly", command="run")
    assert result.succeeded, result.output
    # Whatever the profile, the distinct sources that a pattern needs are the cadence's (decision D3); 2 are shipped.
    sources = "select distinct threshold_sources from insights.pattern_monthly where kind = 'incident_frequency'"
    assert warehouse.rows(sources) == [(1,)]


def test_a_domain_is_text_and_nothing_else(built: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domains = ["customer's", "{{ x }}", "{% raw %}", "100 %", "a\\b", "' or true --", "$$", "مطبخ"]
    path = tmp_path / "patterns.yaml"
    overrides = dict.fromkeys(domains, "hospital")
    path.write_text(json.dumps({"patterns": {"overrides_by_domain": overrides}}), "utf-8")
    monkeypatch.setenv("INSIGHTS_PATTERN_CONFIG_PATH", str(path))
    warehouse = replace(built, settings=load_settings())
    result = warehouse.build("--select", "int_applicable_profiles", "pattern_weekly", command="run")
    assert result.succeeded, result.output
    stored = "select distinct domain from insights_staging.int_applicable_profiles"
    shipped = set(built.settings.insights.patterns.overrides_by_domain)
    assert {domain for (domain,) in warehouse.rows(stored)} == {*domains, *shipped, "*"}
