"""Commands in one process of dbt, which end with the first that fails (D199), and what they write (D213)."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.saved_parse import save, save_for_insights
from support.warehouse import Warehouse

from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.dbt_process import THEN
from orchestration.supervision import run_dbt

in_processes = pytest.mark.usefixtures("dbt_processes")


@in_processes
def test_the_second_command_has_the_project_that_the_first_parsed(settings: Settings) -> None:
    lines: list[str] = []
    parse = dbt.complete(settings, ["parse", "--log-level", "debug"], {})
    listed = dbt.complete(settings, ["ls", "--resource-type", "seed", "--log-level", "debug"], {})
    environment = dbt.process_environment(settings, None)
    save(environment, *dbt.complete(settings, [], {}))
    assert run_dbt([*parse, THEN, *listed], environment, lines.append) == 0
    assert [sum(said in line for line in lines) for said in ("Running with dbt=", "  checksum: ")] == [2, 1]
    assert "orgo_insights.tokens\n" in lines


@in_processes
def test_nothing_follows_a_command_that_fails(settings: Settings) -> None:
    lines: list[str] = []
    listed = dbt.complete(settings, ["ls", "--resource-type", "seed"], {})
    assert run_dbt(["ls", "--nonsense", THEN, *listed], dbt.process_environment(settings, None), lines.append) == 2
    assert lines[-1].startswith("Error: No such option '--nonsense'")


ARTIFACTS = ("manifest.json", "graph.gpickle", "run_results.json")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give dbt folders of its own, and let it choose the level of its log; returns that of the log."""
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    monkeypatch.delenv("DBT_LOG_LEVEL_FILE")
    (tmp_path / "target").mkdir()
    return tmp_path / "logs"


def _build(warehouse: Warehouse, *arguments: str) -> tuple[dbt.DbtRun, str]:
    """Run `dbt.build` as of the sample's day; returns the run and its output."""
    as_of, lines = {"as_of": "2026-01-01"}, list[str]()
    done = dbt.build(warehouse.settings, arguments, url=warehouse.etl_url, variables=as_of, on_line=lines.append)
    return done, "".join(lines)


def _written(target: Path) -> list[str]:
    return [name for name in ARTIFACTS if (target / name).exists()]


@pytest.mark.services
@in_processes
@pytest.mark.parametrize(
    ("asked", "written"),
    [
        (("--select", "stg_roles"), ["run_results.json"]),
        (("--select", "stg_roles", "--write-json", "--log-level-file", "debug"), [*ARTIFACTS]),
    ],
)
def test_a_build_writes_its_results_and_other_artifacts_only_if_asked(
    asked: tuple[str, ...], written: list[str], built: Warehouse, folders: Path
) -> None:
    save_for_insights(built.settings, built.etl_url, as_of="2026-01-01")
    done, output = _build(built, *asked)
    assert done.exit_code == 0, output
    assert _written(done.target) == written
    assert done.nodes() == 1  # a test of its key is all that the second command finds
    log = (folders / "dbt.log").read_text("utf-8")
    assert "Done. PASS=" in log
    statement = "create or replace temporary view another_select"
    assert (statement in log, statement in output) == ("debug" in asked, False)


@pytest.mark.services
def test_a_build_that_finds_nothing_writes_its_results(built: Warehouse, folders: Path) -> None:
    done, output = _build(built, "--select", "missing_model")
    assert (done.exit_code, done.nodes(), _written(done.target)) == (0, 0, ["run_results.json"]), output
    assert "Nothing to do." in (folders / "dbt.log").read_text("utf-8")


@pytest.mark.services
def test_the_results_of_a_failed_command_are_written(built: Warehouse, folders: Path) -> None:
    built.execute("alter table insights.dim_roles owner to postgres")
    done, output = _build(built, "--select", "dim_roles", "dim_dates")
    assert (done.exit_code, done.nodes()) == (1, 2), output
    assert _written(done.target) == ["run_results.json"]
