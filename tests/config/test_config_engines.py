"""What the configuration says about a warehouse in a file of DuckDB."""

from __future__ import annotations

import pytest
from support.config_project import CONFIG, ConfigProject

pytest_plugins = ["support.config.project_copy"]

FILE = 'path: "${INSIGHTS_DUCKDB_PATH}"'


def test_a_file_needs_no_address_of_a_server(project: ConfigProject) -> None:
    project.edit("type: postgres", "type: duckdb")
    assert project.said() == []
    notes = " ".join(project.said("note", INSIGHTS_DUCKDB_PATH="/srv/warehouse.duckdb", INSIGHTS_SNAPSHOT_DIR="/srv/s"))
    assert "warehouse.path" not in notes and "snapshot_directory" not in notes


@pytest.mark.parametrize("schema", ["insights", "insights_staging", "insights_ops", "public"])
def test_a_file_with_the_name_of_a_schema_is_refused(project: ConfigProject, schema: str) -> None:
    project.edit("type: postgres", "type: duckdb")
    line = project.edit(FILE, f"path: /srv/{schema}.duckdb")
    assert project.said() == [
        f"{CONFIG}:{line}: insights.warehouse.path is /srv/{schema}.duckdb: DuckDB names the database after the file,"
        f" and {schema} is a schema; name the file warehouse.duckdb"
    ]


@pytest.mark.parametrize("name", ["insights.duckdb", "Insights.duckdb", "insights.v2.duckdb", ".public"])
def test_the_name_of_a_schema_is_refused_in_the_variable_too(project: ConfigProject, name: str) -> None:
    project.edit("type: postgres", "type: duckdb")
    (said,) = project.said(INSIGHTS_DUCKDB_PATH=f"/srv/{name}")
    schema = "public" if "public" in name else "insights"
    assert f"insights.warehouse.path is /srv/{name}: DuckDB names" in said and f", and {schema} is a schema;" in said


def test_places_are_absolute_also_in_the_environment(project: ConfigProject) -> None:
    line = project.edit('snapshot_directory: "${INSIGHTS_SNAPSHOT_DIR}"', "snapshot_directory: snapshot")
    wanted = f"{CONFIG}:{line}: insights.source.snapshot_directory is snapshot: must be an absolute path"
    assert project.said() == [wanted]
    (of_the_file, _) = project.said(INSIGHTS_DUCKDB_PATH="warehouse.duckdb")
    assert of_the_file.endswith("insights.warehouse.path is warehouse.duckdb: must be an absolute path")


def test_a_file_beside_a_server_is_a_warning(project: ConfigProject) -> None:
    before = project.said("warning")
    line = project.edit(FILE, "path: /srv/warehouse.duckdb")
    assert [text for text in project.said("warning") if text not in before] == [
        f"{CONFIG}:{line}: insights.warehouse.path is /srv/warehouse.duckdb: has no effect with warehouse.type"
        " postgres; remove it"
    ]


def test_a_serving_database_beside_a_server_is_a_warning_without_its_password(project: ConfigProject) -> None:
    before = project.said("warning")
    url = 'serving_url: "${INSIGHTS_SERVING_URL}"'
    line = project.edit(url, "serving_url: postgresql://etl:pass@db/serving")
    assert [text for text in project.said("warning") if text not in before] == [
        f"{CONFIG}:{line}: insights.warehouse.serving_url is postgresql://etl:***@db/serving: has no effect with"
        " warehouse.type postgres; remove it"
    ]
