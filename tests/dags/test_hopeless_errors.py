"""A step of dbt fails at once where a retry would fail too, is retried otherwise, and names what failed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.airflow.task import Task
from support.warehouse import Warehouse, connect_as

from orchestration import dbt
from orchestration.config.files import PROJECT, Settings
from orchestration.dags.airflow_versions import AirflowFailException
from orchestration.dags.operators import DbtOperator, LoadLogOperator, WriterOperator
from orchestration.dbt_failures import failures
from orchestration.errors import BusyError, UnavailableError

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("airflow")]

PROJECT_FILE = "name: orgo_insights\nprofile: orgo_insights\nversion: 1.0.0\nmodels: {+materialized: table}\n"
TESTS = "models: [{name: fine, columns: [{name: n, data_tests: [not_null]}]}]\n"
# Each is a model; the second part is a piece of its message.
LASTING = {
    "not_compiled": ("{{ exceptions.raise_compiler_error('no such token') if execute }}", "no such token"),
    "no_column": ("select missing_column from fine", 'column "missing_column" does not exist'),
    "by_zero": ("select 1 / 0 as n", "division by zero"),
}
# PostgreSQL's messages for what only several sessions can cause, raised by statements of one.
PASSING = {
    "cut_off": (
        "{{ config(pre_hook='select pg_terminate_backend(pg_backend_pid())') }} select 1 as n",
        "closed the connection",
    ),
    "locked": ("{{ config(pre_hook=\"set local lock_timeout = '100ms'\") }} select n from fine", "lock timeout"),
    "too_slow": (
        "{{ config(pre_hook=\"set local statement_timeout = '50ms'\") }} select pg_sleep(9)::text n",
        "canceling",
    ),
    "dead": ("select public.raise_it('40P01', 'deadlock detected')", "deadlock detected"),
    "serial": ("select public.raise_it('40001', 'could not serialize access')", "could not serialize"),
}
RAISE_IT = """
create function public.raise_it(code text, says text) returns int language plpgsql as
$$ begin raise exception using errcode = code, message = says; end $$
"""


@pytest.fixture
def project(tmp_path: Path, prepared: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for the models of a small project, which the steps run on a prepared database."""
    (tmp_path / "dbt_project.yml").write_text(PROJECT_FILE)
    (tmp_path / "models").mkdir()
    shutil.copy(PROJECT / "profiles.yml", tmp_path)
    (tmp_path / "models" / "fine.sql").write_text("select null::int as n")
    monkeypatch.setattr(dbt, "PROJECT", tmp_path)
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    return tmp_path / "models"


FINE = "from {{ ref('fine') }}"


def _write(folder: Path, models: dict[str, tuple[str, str]]) -> None:
    for name, (text, _) in models.items():
        (folder / f"{name}.sql").write_text(f"-- depends_on: {{{{ ref('fine') }}}}\n{text.replace('from fine', FINE)}")


def _step(*command: str) -> DbtOperator:
    return DbtOperator(task_id="step", command=command)


def test_what_a_retry_cannot_fix_fails_at_once_and_is_named(project: Path) -> None:
    _write(project, LASTING)
    (project / "tests.yml").write_text(TESTS)
    task = Task()
    with pytest.raises(AirflowFailException) as failed:
        _step("run").execute(task.context())
    assert task.kept["outcome"]["reason"] == str(failed.value)
    for name, (_, says) in LASTING.items():
        assert any(f"model {name}: " in line and says in line for line in str(failed.value).splitlines()), says
    with pytest.raises(AirflowFailException, match=r"test not_null_fine_n: Got 1 result, configured to fail if != 0"):
        _step("test").execute(Task().context())


def test_a_project_that_cannot_be_parsed_fails_at_once(project: Path) -> None:
    _write(project, {"lost": ("select * from {{ ref('nowhere') }}", "")})
    with pytest.raises(AirflowFailException, match=r"'model.orgo_insights.lost' .*'nowhere' which was not found"):
        _step("run").execute(Task().context())


def test_what_passes_by_itself_is_retried(project: Path, prepared: Warehouse, settings: Settings) -> None:
    prepared.execute(RAISE_IT)
    _step("run").execute(Task().context())
    _write(project, PASSING)
    command = ("run", "--exclude", "fine")
    with connect_as(prepared.admin_url) as holder, holder.transaction():
        holder.execute("lock table insights.fine in access exclusive mode")
        lines: list[str] = []
        run = dbt.write(settings, command, url=prepared.etl_url, on_line=lines.append)
    found = {one.name.removeprefix("model "): one for one in failures(run)}
    assert set(found) == set(PASSING)
    for name, (_, says) in PASSING.items():
        assert says in found[name].message
        assert not found[name].is_lasting, found[name]
    # A lasting failure beside one that passes: the retry does the rest, and the last attempt names both.
    _write(project, LASTING)
    with pytest.raises(UnavailableError) as failed:
        _step("run", "--select", "by_zero", "dead").execute(Task().context())
    assert "model by_zero: " in str(failed.value) and "model dead: " in str(failed.value)


def test_other_steps_follow_the_kind_of_the_error_too(
    project: Path, prepared: Warehouse, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prepared.locked(), pytest.raises(BusyError, match="Another process is writing to this warehouse"):
        _step("run").execute(Task().context())
    with pytest.raises(AirflowFailException, match=r"fact_tasks \(never loaded\)"):
        LoadLogOperator(task_id="load_log", relations=["fact_tasks"]).execute(Task().context())
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", database)
    for step in (_step("run"), WriterOperator(task_id="purge")):
        with pytest.raises(AirflowFailException, match="insights init"):
            step.execute(Task().context())
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", "postgresql://etl@127.0.0.1:1/orgo")
    with pytest.raises(UnavailableError, match="Cannot connect"):
        WriterOperator(task_id="purge").execute(Task().context())
