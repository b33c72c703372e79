"""A broken configuration, and a manifest that is missing or stale, is the import error of our DAG file."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.airflow import airflow_dags

from orchestration.cli import commands
from orchestration.config.files import PROJECT, Settings, check
from orchestration.errors import MisconfiguredError
from orchestration.manifest import FILES, FOLDERS, manifest_file, manifest_problem, read_manifest, relations


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a DAG folder with the file of Insights and a file of another project."""
    shutil.copy(PROJECT / "dags" / "insights.py", tmp_path)
    other = (
        "import datetime\nfrom airflow.models.dag import DAG\nDAG('other', start_date=datetime.datetime(2026, 1, 1))"
    )
    (tmp_path / "other.py").write_text(other.replace("DAG('", "dag = DAG('"))
    return tmp_path


def test_a_broken_configuration_is_the_import_error_of_our_file(
    folder: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "production")
    monkeypatch.setenv("INSIGHTS_REDIS_URL", "http://redis")
    errors = [str(problem) for problem in check().problems if problem.level == "error"]
    assert len(errors) >= 2
    found = airflow_dags.bag(folder)
    assert list(found.dags) == ["other"]
    assert [Path(file).name for file in found.import_errors] == ["insights.py"]
    (message,) = found.import_errors.values()
    assert all(error in message for error in errors)


def test_a_missing_manifest_is_said_with_the_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "nothing"))
    found = airflow_dags.bag(folder)
    assert list(found.dags) == ["other"]
    (message,) = found.import_errors.values()
    assert f"{tmp_path}/nothing/parsed/manifest.json is missing. Run: insights manifest" in message


def test_a_manifest_of_other_files_is_an_import_error(
    folder: Path, tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    manifest_file().parent.mkdir()
    made = manifest.read_bytes()
    manifest_file().write_bytes(made.replace(b'digest": "', b'digest": "0', 1))
    (message,) = airflow_dags.bag(folder).import_errors.values()
    assert re.search(r"was not made from the files that are in [\w/.-]+ now\. Run: insights manifest", message)


def test_contents_decide_and_not_times_of_files(
    tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    manifest_file().parent.mkdir()
    shutil.copyfile(manifest, manifest_file())
    os.utime(manifest_file(), (0, 0))
    copy = tmp_path / "copy"
    for name in FOLDERS:
        shutil.copytree(PROJECT / name, copy / name, copy_function=shutil.copyfile)
    for name in FILES:
        shutil.copyfile(PROJECT / name, copy / name)
    assert manifest_problem() is None
    monkeypatch.setattr("orchestration.manifest.PROJECT", copy)
    assert manifest_problem() is None
    changed = copy / "models/ops/rejects.sql"
    text = changed.read_text("utf-8")
    changed.write_text(text.replace("select", "SELECT", 1), "utf-8")
    os.utime(changed, (0, 0))
    assert "Run: insights manifest" in str(manifest_problem())
    changed.write_text(text, "utf-8")
    assert manifest_problem() is None
    changed.rename(changed.with_name("refused.sql"))
    assert "Run: insights manifest" in str(manifest_problem())


def test_a_manifest_beside_the_project_is_read_where_none_was_written(
    settings: Settings, tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in an image: the project cannot be written, and dbt's folder is empty.
    copy = tmp_path / "copy"
    for name in FOLDERS:
        shutil.copytree(PROJECT / name, copy / name, copy_function=shutil.copyfile)
    for name in FILES:
        shutil.copyfile(PROJECT / name, copy / name)
    monkeypatch.setattr("orchestration.manifest.PROJECT", copy)
    monkeypatch.setattr("orchestration.manifest.write_manifest", None)  # nothing is made
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    assert f"{tmp_path}/target/parsed/manifest.json is missing" in str(manifest_problem())
    brought = copy / "manifest.json"
    shutil.copyfile(manifest, brought)
    assert manifest_file() == brought
    assert manifest_problem() is None
    assert "fact_tasks" in relations(read_manifest(settings))
    changed = copy / "models/ops/rejects.sql"
    changed.write_text(changed.read_text("utf-8") + "\n", "utf-8")
    assert f"{brought} was not made from the files" in str(manifest_problem())
    # One that was made since takes precedence.
    written = tmp_path / "target/parsed/manifest.json"
    written.parent.mkdir(parents=True)
    shutil.copyfile(manifest, written)
    assert manifest_file() == written


def test_a_manifest_that_cannot_be_written_is_said_with_the_variable(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "file"))
    with pytest.raises(
        MisconfiguredError, match=r"cannot be written to \S+/file/parsed: Not a directory\. Let DBT_TARGET_PATH"
    ):
        read_manifest(settings)


def test_the_command_makes_the_manifest(tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(manifest.parent / "work", tmp_path / "parsed" / "work")  # so that dbt parses fast
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    done = CliRunner().invoke(commands, ["manifest"])
    assert (done.exit_code, done.output.strip()) == (0, str(tmp_path / "parsed" / "manifest.json"))
    assert manifest_problem() is None
