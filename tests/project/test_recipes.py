"""The recipes of CONTRIBUTING.md do what they say, and nothing else has to be touched."""

from __future__ import annotations

from pathlib import Path

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
ADDED = "tests/support/workshop/added_by_recipes.py"


@pytest.mark.parametrize("title", FILES)
def test_a_recipe_touches_these_files_only(title: str) -> None:
    assert {block.file for block in recipe(title)} == FILES[title]


@pytest.mark.services
def test_what_was_added_works_and_the_policies_accept_it(tmp_path: Path, built: Warehouse) -> None:
    copy = Copy.make(tmp_path)
    for title in FILES:
        copy.follow(title)
    copy.run("ruff", "check", "orchestration")
    copy.run("ruff", "format", "--check", "orchestration")
    urls = {"BUILT_URL": built.etl_url, "BUILT_READER_URL": built.reader_url}
    # First what was added, which makes the manifest, then the policies: those that need no database.
    ran = copy.run("pytest", "-rp", "-m", "not services", "-p", "no:cacheprovider", ADDED, *POLICIES, **urls)
    passed = {line.partition("::")[0].removeprefix("PASSED ") for line in ran.splitlines() if "::" in line}
    given = [name.partition("::")[0] for name in (ADDED, *POLICIES)]
    assert [name for name in given if not any(file.startswith(name) for file in passed)] == []
