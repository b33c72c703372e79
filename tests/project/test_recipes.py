"""The recipes of CONTRIBUTING.md do what they say, and nothing else has to be touched."""

from __future__ import annotations

import json

import pytest
from support.recipes import Copy, recipe
from support.warehouse import Warehouse

# What a person writes: the files of each recipe.
FILES = {
    "Add a mart": {
        "models/marts/reports/report_open_cases.sql",
        "models/marts/reports/_reports__models.yml",
        "models/marts/reports/_reports__unit_tests.yml",
        "dbt_project.yml",
        "CHANGELOG.md",
    },
    "Add a DAG": {"config/insights/dags.yaml", "orchestration/flows.py"},
    "Add a dashboard": {"models/exposures/_dashboards.yml"},
}
POLICIES = (
    "tests/dags/test_dag_nodes.py::test_each_dag_has_the_nodes_that_dbt_selects",
    "tests/dags/test_dags.py::test_each_environment_has_the_inventory",
    "tests/dags/test_dags.py::test_policy",
    "tests/dashboards/test_dashboard_questions.py",
    "tests/docs",
    "tests/project/policy",
    "tests/project/test_contents.py",
    "tests/project/test_sizes.py",
    "tests/project/test_unit_tests.py",
)
HOSPITAL = "sample-hospital"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Return a copy of the project in which all three recipes were followed."""
    copy = Copy.make(tmp_path_factory.mktemp("recipes"))
    for title in FILES:
        copy.follow(title)
    copy.run("insights", "manifest")
    return copy


@pytest.mark.parametrize("title", FILES)
def test_a_recipe_touches_these_files_only(title: str) -> None:
    assert {block.file for block in recipe(title)} == FILES[title]


def test_dbt_and_airflow_find_what_was_added(copy: Copy) -> None:
    assert "nightly_reconcile" in copy.run("insights", "config", "show")
    listed = copy.run("dbt", "ls", "--selector", "events_reports", "--quiet")
    assert "orgo_insights.marts.reports.report_open_cases" in listed.splitlines()
    found = copy.run(
        "python",
        "-c",
        "from support.airflow import airflow_dags; print(*airflow_dags.bag().dags)",
        PYTHONPATH=f"{copy.project}:{copy.project / 'tests'}",
    )
    assert "insights_nightly_reconcile" in found.split()


def test_the_policies_accept_what_was_added(copy: Copy) -> None:
    copy.run("ruff", "check", "orchestration")
    copy.run("ruff", "format", "--check", "orchestration")
    copy.run("pytest", "-m", "not services", *POLICIES)


@pytest.mark.services
def test_the_mart_is_built_and_the_dashboard_answers(copy: Copy, built: Warehouse) -> None:
    build = ("insights", "build", "--as-of", "2026-01-01", "--select", "report_open_cases")
    copy.run(*build, INSIGHTS_WAREHOUSE_URL=built.etl_url)
    command = ("insights", "dashboard", "open_cases", "--org", HOSPITAL, "--as", "teacher", "--format", "json")
    shown = (*command, "--visibility", "PUBLIC", "--visibility", "INTERNAL")
    printed = copy.run(*shown, INSIGHTS_WAREHOUSE_URL=built.reader_url, INSIGHTS_REDIS_URL="")
    answer = json.loads(printed[printed.index("{") :])
    # By status instead of by the date of closing.
    counted = built.rows(
        """
        select d.severity, count(*)
        from insights.dim_cases as d inner join insights.dim_organizations as o on o.organization_id = d.organization_id
        where o.slug = %s and d.status in ('open', 'in_progress') and d.visibility in ('PUBLIC', 'INTERNAL')
        group by d.severity
        """,
        HOSPITAL,
    )
    assert {row["severity"]: row["cases"] for row in answer["by_severity"]["rows"]} == dict(counted) != {}
