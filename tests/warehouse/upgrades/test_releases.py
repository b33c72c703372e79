"""The database knows which release has prepared it: others refuse to write, older ones to prepare it again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import yaml
from click.testing import CliRunner
from support import in_process
from support.plain_dbt import libpq_variables, plain_dbt
from support.warehouse import NO_TESTS, DbtResult, Warehouse

from orchestration.cli import commands
from orchestration.config.files import PROJECT, load_settings
from orchestration.errors import ConflictError, InsightsError, MisconfiguredError, NotPreparedError
from orchestration.monitoring.doctor import examine
from orchestration.warehouse.access.privileges import functions_of_init
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.duckdb.loaded import create_objects
from orchestration.warehouse.init import initialize
from orchestration.warehouse.names import Names
from orchestration.warehouse.plan import plan
from orchestration.warehouse.releases import scripts_sha256, this_release
from orchestration.warehouse.script import other_functions
from workshop.sample.load import SAMPLE_AS_OF

NEWER, OLDER = "10.0.0", "2.11.3"  # as text, both would be on the other side of 3.0.0
CANDIDATE, BEFORE = "3.1.0rc1", "2.11.3.dev4"  # as someone may have installed who tries the next release
GOING_BACK = rf"Release {NEWER} has prepared this warehouse, and this is release .*\. Nothing was changed\. Install"
UNDO = rf"Release {NEWER} has prepared this database, and this is release .* undo .* Install release {NEWER} or later\."
BEHIND = rf"Release {OLDER} has prepared this database, and this is release .*\. Run first: insights init"


def prepared_by(warehouse: Warehouse, version: str) -> None:
    """Say that another release has prepared the database last."""
    warehouse.execute(f"insert into insights_ops.releases values (2, '{version}', 'of its scripts')")  # noqa: S608


def test_the_project_of_dbt_has_the_version_of_the_package() -> None:
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert project["version"] == project["vars"]["release"] == this_release()
    assert re.fullmatch(r"\d+\.\d+\.\d+", this_release())


@pytest.mark.services
@pytest.mark.parametrize("work", [initialize, plan])
def test_an_older_release_prepares_no_database_of_a_newer_one(prepared: Warehouse, work: Callable[..., object]) -> None:
    prepared_by(prepared, NEWER)
    prepared.execute("drop index insights_ops.former_rows_replaced")
    with connect(prepared.admin_url) as connection, pytest.raises(ConflictError, match=GOING_BACK):
        work(connection, prepared.settings)
    assert prepared.value("select to_regclass('insights_ops.former_rows_replaced')") is None


@pytest.mark.services
@pytest.mark.parametrize(
    ("version", "kind", "says"),
    [
        (NEWER, MisconfiguredError, UNDO),
        (OLDER, NotPreparedError, BEHIND),
        (CANDIDATE, MisconfiguredError, UNDO.replace(NEWER, CANDIDATE)),
        (BEFORE, NotPreparedError, BEHIND.replace(OLDER, BEFORE)),
    ],
)
def test_what_writes_stops_in_a_database_of_another_release(
    prepared: Warehouse, monkeypatch: pytest.MonkeyPatch, version: str, kind: type[InsightsError], says: str
) -> None:
    prepared_by(prepared, version)
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    for command in (["build", "--select", "dim_roles"], ["purge", "--yes"], ["reconcile"]):
        done = CliRunner().invoke(commands, command)
        assert (done.exit_code, type(done.exception)) == (1, kind), command
        assert re.fullmatch(says, str(done.exception)), command
    variables = libpq_variables(prepared.postgres, prepared.name, "orgo_insights_etl")
    run = ["run", "--select", "dim_roles"]
    if version == NEWER:
        by_dbt = plain_dbt(variables, *run)
    else:  # in this process, without the lock of `insights` as well
        by_dbt = DbtResult(*in_process.run(prepared.settings, run, prepared.etl_url, {"as_of": str(SAMPLE_AS_OF)}, 0))
    assert not by_dbt.succeeded
    assert re.search(says, " ".join(by_dbt.output.split()))
    assert prepared.value("select to_regclass('insights.dim_roles')") is None
    finding = {one.check: one for one in examine(load_settings())}["release"]
    assert finding.state == "broken"
    assert re.match(says, finding.says)


@pytest.mark.services
def test_init_of_the_newer_release_is_recorded_and_another_of_it_is_not(prepared: Warehouse) -> None:
    prepared_by(prepared, OLDER)
    for _ in range(2):
        with connect(prepared.admin_url) as connection:
            initialize(connection, prepared.settings)
        assert prepared.rows(
            "select release_number, version, scripts_sha256, prepared_by from insights_ops.releases"
            " where release_number > 1 order by 1"
        ) == [
            (2, OLDER, "of its scripts", "postgres"),
            (3, this_release(), scripts_sha256(), "postgres"),
        ]
    assert prepared.build("--select", "dim_roles", "+dim_roles", *NO_TESTS).succeeded


@pytest.mark.services
def test_a_database_that_was_prepared_before_releases_were_recorded_needs_init(prepared: Warehouse) -> None:
    prepared.execute("drop table insights_ops.releases")
    with pytest.raises(NotPreparedError, match=r"not prepared for this release\. Run first: insights init"):
        prepared.build("--select", "dim_roles")
    with connect(prepared.admin_url) as connection:
        initialize(connection, prepared.settings)
    assert prepared.value("select version from insights_ops.releases") == this_release()


@pytest.mark.services
def test_doctor_names_the_release_and_other_scripts(prepared: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    finding = {one.check: one for one in examine(load_settings())}["release"]
    assert finding.state == "ok"
    assert re.fullmatch(rf"{this_release()}, prepared on \d{{4}}-\d\d-\d\d \d\d:\d\d UTC by postgres", finding.says)
    prepared.execute("update insights_ops.releases set scripts_sha256 = 'of an earlier state'")
    finding = {one.check: one for one in examine(load_settings())}["release"]
    assert finding.state == "attention"
    assert "the scripts of this installation are others" in finding.says
    assert "insights init --plan" in finding.remedy


@pytest.mark.services
def test_doctor_names_functions_that_a_release_without_the_record_put_back(
    prepared: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    prepared.execute(
        "create or replace function insights_ops.latest_as_of() returns date language sql as 'select current_date';"
        " drop function insights_ops.own_exports"
    )
    finding = {one.check: one for one in examine(load_settings())}["release"]
    assert finding.state == "attention"
    assert finding.says.endswith("by postgres; functions are not those of this release: latest_as_of, own_exports")
    assert finding.remedy.endswith("run: insights init")
    with connect(prepared.admin_url) as connection:
        initialize(connection, prepared.settings)
        assert other_functions(Database(prepared.settings, connection)) == []
        names = {text.split("(")[0].split(".")[1] for text in functions_of_init("insights_ops")}
        connection.execute("drop schema insights_ops cascade")
        assert set(other_functions(Database(prepared.settings, connection))) == names


def test_a_file_of_duckdb_records_its_releases_too(tmp_path: Path) -> None:
    names, path = Names.of(load_settings()), tmp_path / "a.duckdb"
    with duckdb.connect(str(path)) as file:
        file.execute("create schema insights_ops")
        create_objects(file, names, path)
        create_objects(file, names, path)
        found = file.execute("select release_number, version from insights_ops.releases").fetchall()
        assert found == [(1, this_release())]
        of_another = "insert into insights_ops.releases values (?, ?, 'of its scripts', now(), 'a')"
        file.execute(of_another, [2, OLDER])
        create_objects(file, names, path)
        newest = "select version from insights_ops.releases order by release_number desc limit 1"
        assert file.execute(newest).fetchone() == (this_release(),)
        file.execute(of_another, [4, NEWER])
        with pytest.raises(ConflictError, match=GOING_BACK):
            create_objects(file, names, path)
