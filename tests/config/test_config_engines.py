"""What the configuration says about a warehouse in a file of DuckDB, and about one in Snowflake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.config_project import CONFIG, ConfigProject

from orchestration.config.engines.snowflake import NEEDED, snowflake_variables
from orchestration.errors import MisconfiguredError

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


ACCOUNT = dict.fromkeys(NEEDED, "x")


def test_an_account_of_snowflake_is_known_by_its_variables(project: ConfigProject, tmp_path: Path) -> None:
    project.edit("type: postgres", "type: snowflake")
    assert project.said() == []
    needs = [text for text in project.said("note") if "SNOWFLAKE_" in text]
    assert [text.split(":")[1].strip() for text in needs] == [*NEEDED, "SNOWFLAKE_PRIVATE_KEY_PATH"]
    assert needs[0] == (
        "environment: SNOWFLAKE_ACCOUNT: is not set; only commands that load or purge a warehouse of type snowflake"
        " need it"
    )
    assert needs[-1].endswith("nor is SNOWFLAKE_PASSWORD; commands that load or purge need one of the two")
    (tmp_path / "password").write_text("secret\n")
    for given in ({"SNOWFLAKE_PASSWORD": "secret"}, {"SNOWFLAKE_PASSWORD_FILE": str(tmp_path / "password")}):
        assert [text for text in project.said("note", **ACCOUNT, **given) if "SNOWFLAKE_" in text] == []


WRONG = {
    "SNOWFLAKE_PASSWORD: is set too, beside SNOWFLAKE_PRIVATE_KEY_PATH; unset one": {"SNOWFLAKE_PASSWORD": "secret"},
    "SNOWFLAKE_PRIVATE_KEY_PATH is /none: must name the file of a private key (PKCS #8, PEM); there is no such file": {
        "SNOWFLAKE_PRIVATE_KEY_PATH": "/none"
    },
    "PRIVATE_KEY_PASSPHRASE: opens a private key, and SNOWFLAKE_PRIVATE_KEY_PATH is not set": {
        "SNOWFLAKE_PRIVATE_KEY_PATH": "",
        "SNOWFLAKE_PASSWORD": "secret",
        "PRIVATE_KEY_PASSPHRASE": "opens",
    },
    "SNOWFLAKE_PORT is 70000: must be a number from 1 to 65535": {"SNOWFLAKE_PORT": "70000"},
    "SNOWFLAKE_PROTOCOL is ftp: must be one of https, http": {"SNOWFLAKE_PROTOCOL": "ftp"},
}


@pytest.mark.parametrize(("says", "given"), WRONG.items())
def test_a_wrong_variable_of_an_account_is_named(
    project: ConfigProject, tmp_path: Path, says: str, given: dict[str, str]
) -> None:
    (tmp_path / "key.p8").write_text("a key\n")
    environ = ACCOUNT | {"SNOWFLAKE_PRIVATE_KEY_PATH": str(tmp_path / "key.p8")} | given
    with pytest.raises(MisconfiguredError, match=says.split(" ", maxsplit=1)[0].rstrip(":")):
        snowflake_variables(environ)
    before = project.said(**environ)
    project.edit("type: postgres", "type: snowflake")
    assert [text for text in project.said(**environ) if text not in before] == [f"environment: {says}"]


def test_what_a_connection_lacks_is_named_at_once() -> None:
    with pytest.raises(MisconfiguredError) as caught:
        snowflake_variables({"SNOWFLAKE_ACCOUNT": "x"})
    assert all(name in str(caught.value) for name in NEEDED if name != "SNOWFLAKE_ACCOUNT")


def test_the_variables_for_dbt_take_the_place_of_files(
    project: ConfigProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit("type: postgres", "type: snowflake")
    file = tmp_path / "password"
    file.write_text("it's secret\n")
    variables = dict.fromkeys(NEEDED, "given") | {
        "INSIGHTS_CONFIG": str(project.folder / CONFIG),
        "SNOWFLAKE_PASSWORD_FILE": str(file),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    script = 'eval "$(insights env)" && test "$SNOWFLAKE_PASSWORD" = "it\'s secret" && insights env'
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": programs}
    done = subprocess.run(["bash", "-euc", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "unset" not in done.stdout
