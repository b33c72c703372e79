"""The inventory of DAGs is that of the specification, and says where each DAG is enabled."""

from __future__ import annotations

import yaml
from support.config_project import DAGS, ConfigProject

from orchestration.flows import FLOWS

pytest_plugins = ["support.config.project_copy"]

# Section 4.1 of the specification, letter by letter: in six lines it is indented with a tab.
INVENTORY = """
etl_dags:

  daily_events_load:
    id: "insights_daily_events_load"
    schedule: "0 2 * * *"   # daily at 02:00 UTC
    description: "Load operational tasks/cases into the insights fact tables (insights.fact_tasks, insights.fact_cases, insights.fact_wellbeing_checkins, etc.)"
    enabled_environments: ["staging", "prod"]
\tqueue_job_id: "orgo.analytics.export-facts"

  daily_dimensions_sync:
    id: "insights_daily_dimensions_sync"
    schedule: "30 2 * * *"
    description: "Sync dimension tables (organizations, roles, labels) into insights.dim_*"
    enabled_environments: ["staging", "prod"]
\tqueue_job_id: "orgo.analytics.export-facts"

  weekly_pattern_review:
    id: "insights_weekly_pattern_review"
    schedule: "0 3 * * 1"   # every Monday at 03:00 UTC
    description: "Compute weekly patterns based on patterns.weekly.window_days"
    enabled_environments: ["staging", "prod"]
\tqueue_job_id: "orgo.insights.weekly-pattern-review"

  monthly_trend_report:
    id: "insights_monthly_trend_report"
    schedule: "0 4 1 * *"   # first of each month
    description: "Generate monthly trend aggregates and store in summary tables / materialized views"
    enabled_environments: ["staging", "prod"]
\tqueue_job_id: "orgo.insights.monthly-trend-report"

  yearly_systemic_review:
    id: "insights_yearly_systemic_review"
    schedule: "0 5 1 1 *"   # January 1st
    description: "Compute yearly systemic patterns used by leadership overviews"
    enabled_environments: ["prod"]
\tqueue_job_id: "orgo.insights.yearly-systemic-review"

  cache_warmup_dashboards:
    id: "insights_cache_warmup_dashboards"
    schedule: "*/15 * * * *"  # every 15 minutes
    description: "Pre\N{NON-BREAKING HYPHEN}warm caches for high\N{NON-BREAKING HYPHEN}traffic dashboards"
    enabled_environments: ["staging", "prod"]
\tqueue_job_id: "orgo.insights.cache-warmup-dashboards"
"""  # noqa: E501 - it is quoted


def test_the_inventory_is_that_of_the_specification(project: ConfigProject) -> None:
    wanted = yaml.safe_load(INVENTORY.replace("\t", "    "))["etl_dags"]
    settings = project.check().settings
    assert settings
    assert {name: settings.dags[name].model_dump() for name in wanted} == wanted
    assert len(wanted) == 6
    assert set(settings.dags) == set(FLOWS)


def test_a_pasted_inventory_with_tabs_is_reported(project: ConfigProject) -> None:
    project.write(INVENTORY, DAGS)
    lines = [9, 16, 23, 30, 37, 44]  # counted in the text above; its first line is empty
    assert project.said() == [
        f"{DAGS}:{line}:1: a tab in the indentation, which YAML forbids; use spaces" for line in lines
    ]


def test_where_a_dag_is_enabled(project: ConfigProject) -> None:
    def enabled(env: str) -> set[str]:
        settings = project.check(env).settings
        assert settings
        return {name for name in every if settings.is_enabled(name)}

    every = set(yaml.safe_load(INVENTORY.replace("\t", "    "))["etl_dags"])
    assert enabled("dev") == set()
    assert enabled("staging") == every - {"yearly_systemic_review"}
    assert enabled("prod") == every
    assert enabled("offline") == set()
    project.edit("  offline:\n    enabled: false", "  offline:\n    enabled: true")
    assert enabled("offline") == every
    assert enabled("dev") == set()


def test_a_flow_that_the_inventory_lacks_is_reported(project: ConfigProject) -> None:
    text = project.text(DAGS)
    project.write(text[: text.index("  cache_warmup_dashboards:")], DAGS)
    assert project.said() == [
        f"{DAGS}:{project.line_of('etl_dags:', DAGS)}: etl_dags.cache_warmup_dashboards: this key is missing; add it:"
        " The DAG of this flow of orchestration/flows.py."
    ]
