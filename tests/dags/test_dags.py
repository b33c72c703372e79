"""The six DAGs as Airflow parses them, in each environment: from files alone."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import socket
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.configuration import conf
from airflow.exceptions import ParamValidationError
from airflow.timetables.base import TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.utils.dag_cycle_tester import check_cycle
from click.testing import CliRunner
from dbt.cli.main import dbtRunner
from support.airflow import airflow_dags
from support.airflow.airflow_dags import task_of

from orchestration.cli import commands
from orchestration.config.files import PROJECT, Settings, check, load_settings
from orchestration.dags.clock import run_as_of
from orchestration.dags.factory import build_dags
from orchestration.dags.gate import Gate
from orchestration.dags.operators import DbtOperator, LoadLogOperator
from orchestration.errors import InsightsError
from orchestration.manifest import manifest_file, manifest_problem, write_manifest

# Section 4.1 of the specification, by hand: id, schedule, where it is enabled, name in the queue.
INVENTORY = [
    ("insights_daily_events_load", "0 2 * * *", ["staging", "prod"], "orgo.analytics.export-facts"),
    ("insights_daily_dimensions_sync", "30 2 * * *", ["staging", "prod"], "orgo.analytics.export-facts"),
    ("insights_weekly_pattern_review", "0 3 * * 1", ["staging", "prod"], "orgo.insights.weekly-pattern-review"),
    ("insights_monthly_trend_report", "0 4 1 * *", ["staging", "prod"], "orgo.insights.monthly-trend-report"),
    ("insights_yearly_systemic_review", "0 5 1 1 *", ["prod"], "orgo.insights.yearly-systemic-review"),
    ("insights_cache_warmup_dashboards", "*/15 * * * *", ["staging", "prod"], "orgo.insights.cache-warmup-dashboards"),
]
DESCRIPTIONS = {
    "insights_daily_events_load": "Load operational tasks/cases into the insights fact tables (insights.fact_tasks,"
    " insights.fact_cases, insights.fact_wellbeing_checkins, etc.)",
    "insights_daily_dimensions_sync": "Sync dimension tables (organizations, roles, labels) into insights.dim_*",
    "insights_weekly_pattern_review": "Compute weekly patterns based on patterns.weekly.window_days",
    "insights_monthly_trend_report": "Generate monthly trend aggregates and store in summary tables /"
    " materialized views",
    "insights_yearly_systemic_review": "Compute yearly systemic patterns used by leadership overviews",
    "insights_cache_warmup_dashboards": "Pre\u2011warm caches for high\u2011traffic dashboards",
}
ENVIRONMENTS = ["dev", "staging", "prod", "offline"]
# The steps that write marts, besides every dbt command.
WRITERS = {"purge", "reconcile"}
REVIEWS = ["insights_weekly_pattern_review", "insights_monthly_trend_report", "insights_yearly_systemic_review"]


@pytest.fixture(scope="module")
def manifest(settings: Settings) -> Path:
    """A current manifest."""
    return write_manifest(settings)


@pytest.fixture
def prod(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, airflow_dags.DAG]:
    """The DAGs of prod, by id."""
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    return dict(airflow_dags.bag().dags)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_environment_has_the_inventory(environment: str, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", environment)
    found = airflow_dags.bag()
    assert found.import_errors == {}
    assert set(found.dags) == {dag.id for dag in load_settings().dags.values()}
    for dag_id, schedule, enabled, queue_job_id in INVENTORY:
        dag = found.dags[dag_id]
        assert dag.description == DESCRIPTIONS[dag_id]
        assert dag.schedule_interval == (schedule if environment in enabled else None)
        assert dag.tags == [queue_job_id]
        assert dag.params["queue_job_id"] == queue_job_id
        assert dag.owner == "data-team@example.org"
        assert dag.timezone.name == "UTC"


def test_offline_runs_on_schedule_only_where_it_is_enabled(
    manifest: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline = settings.insights.offline.model_copy(update={"enabled": True})
    insights = settings.insights.model_copy(update={"offline": offline})
    enabled = Settings("offline", insights, settings.profiles, settings.dags, settings.version)
    schedules = {dag.dag_id: dag.schedule_interval for dag in build_dags(enabled)}
    assert schedules.items() >= {dag_id: schedule for dag_id, schedule, *_ in INVENTORY}.items()
    assert None not in schedules.values()


def test_policy(prod: dict[str, airflow_dags.DAG]) -> None:
    for dag_id, dag in prod.items():
        check_cycle(dag)
        assert (dag.catchup, dag.max_active_runs) == (False, 1), dag_id
        assert isinstance(dag.timetable, CronDataIntervalTimetable), dag_id
        assert dag.dagrun_timeout and timedelta(0) < dag.dagrun_timeout <= timedelta(hours=6), dag_id
        assert dag.doc_md and dag.description and dag.doc_md.startswith(dag.description), dag_id
        assert all(f"`{step.split('.')[0]}`" in dag.doc_md for step in dag.task_ids), dag_id
        for task in dag.tasks:
            where = f"{dag_id}.{task.task_id}"
            assert task.retries == 3 and task.retry_exponential_backoff and task.max_retry_delay, where
            assert task.execution_timeout and timedelta(0) < task.execution_timeout < dag.dagrun_timeout, where
            is_writer = isinstance(task, DbtOperator) or task.task_id in WRITERS
            assert task.pool == ("insights_writer" if is_writer else "default_pool"), where
            assert task.pool_slots == 1, where
        assert [task.task_id for task in dag.roots] == ["gate"], dag_id
        gate = task_of(dag, "gate", Gate)
        assert gate.reschedule and timedelta(seconds=gate.timeout) < dag.dagrun_timeout, dag_id
        assert timedelta(seconds=gate.poke_interval) < timedelta(seconds=gate.timeout), dag_id


# What Python tells of processes, connections and databases that are begun.
OUTSIDE = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.", "sqlite3.connect")


def test_the_one_dag_file_is_short_and_reads_files_only(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = (PROJECT / "dags").glob("*.py")
    assert len(file.read_text().splitlines()) < 60
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    seen: list[str] = []
    is_parsing = True
    sys.addaudithook(lambda event, _: seen.append(event) if is_parsing else None)  # cannot be taken away again
    try:
        found = runpy.run_path(str(file))
        begun = [event for event in seen if event.startswith(OUTSIDE)]
        socket.socket().close()
    finally:
        is_parsing = False
    assert {dag_id for dag_id, *_ in INVENTORY} <= found.keys()
    assert begun == []
    assert "open" in seen and seen[-1].startswith(OUTSIDE), "the hook sees both"


def test_airflow_takes_the_old_name_of_its_database_too(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = "AIRFLOW__CORE__SQL_ALCHEMY_CONN", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    monkeypatch.setenv(old, "postgresql+psycopg2://a:b@old/airflow")
    now = os.environ[new]
    assert conf.get("database", "sql_alchemy_conn") == now
    monkeypatch.delenv(new)
    with pytest.warns(DeprecationWarning, match="sql_alchemy_conn"):
        assert conf.get("database", "sql_alchemy_conn") == "postgresql+psycopg2://a:b@old/airflow"


def test_the_warm_up_ends_before_the_next_begins(prod: dict[str, airflow_dags.DAG]) -> None:
    most = prod["insights_cache_warmup_dashboards"].dagrun_timeout
    assert most and most < timedelta(minutes=15)


def _ls(*arguments: str) -> list[dict[str, Any]]:
    """`dbt ls --output json`, in this process."""
    command = ["ls", "--output", "json", "--output-keys", "unique_id", "name", "resource_type", "tags"]
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT / "profiles")]
    types = chain.from_iterable(("--resource-type", kind) for kind in ("model", "snapshot", "test"))
    done = dbtRunner().invoke([*command, *arguments, *types, *folders, "--quiet"])
    assert done.success, done.exception
    return [json.loads(line) for line in done.result]  # type: ignore[union-attr]


def _ids(nodes: list[dict[str, Any]], *kinds: str) -> set[str]:
    return {node["unique_id"] for node in nodes if node["resource_type"] in kinds}


def test_each_dag_has_the_nodes_that_dbt_selects(prod: dict[str, airflow_dags.DAG]) -> None:
    everything = _ls()
    reviews = {dag.removeprefix("insights_"): dag for dag in REVIEWS}
    groups = {selector: _ls("--selector", selector) for selector in reviews}
    for selector, dag_id in reviews.items():
        tasks = (task for task in prod[dag_id].tasks if isinstance(task, DbtOperator))
        assert {task.unique_id for task in tasks} == _ids(groups[selector], "model") != set(), dag_id

    # What is one command: dbt selects its nodes.
    commands = [
        task.command
        for dag in prod.values()
        for task in dag.tasks
        if isinstance(task, DbtOperator) and not task.unique_id
    ]
    assert len(commands) >= 6
    layers = [(command[0], _ls(*command[command.index("--selector") :])) for command in commands]

    made = [nodes for command, nodes in layers if command != "test"] + list(groups.values())
    built = [unique_id for nodes in made for unique_id in _ids(nodes, "model", "snapshot")]
    by_all = {f"model.orgo_insights.{name}" for name in ("review_requests", "int_review_request_needs")}
    assert {unique_id for unique_id in built if built.count(unique_id) == len(REVIEWS)} == by_all
    assert sorted({*built}) == sorted(_ids(everything, "model", "snapshot"))
    assert len(built) - len(by_all) * (len(REVIEWS) - 1) == len({*built}), "nothing else is built twice"

    # A plain run tests nothing, whatever its selector says.
    tested = [nodes for command, nodes in layers if command != "run"] + list(groups.values())
    assert set[str]().union(*(_ids(nodes, "test") for nodes in tested)) == _ids(everything, "test")


def test_no_view_is_lost_when_a_load_replaces_a_table_below_it() -> None:
    # PostgreSQL drops the views above a replaced table; the load, and the reconciliation, must make them again.
    nodes = json.loads(manifest_file().read_text("utf-8"))["nodes"]
    loaded = _ids(_ls("--selector", "events_layer"), "model") | _ids(_ls("--selector", "events_facts"), "model")
    loaded |= _ids(_ls("--selector", "events_reports"), "model")
    repaired = _ids(_ls("--selector", "reconcile"), "model")
    replaced = {i for i in loaded if nodes[i]["config"]["materialized"] == "table"}
    above = {
        i
        for i, node in nodes.items()
        if node["config"]["materialized"] == "view" and replaced & set(node["depends_on"]["nodes"])
    }
    assert "model.orgo_insights.int_task_outcomes" in above
    assert above <= loaded & repaired


def test_reviews_wait_for_every_mart_of_the_daily_loads(prod: dict[str, airflow_dags.DAG]) -> None:
    def models(selection: str) -> set[str]:
        return {node["name"] for node in _ls("--select", selection) if node["resource_type"] == "model"}

    for key in ("daily_events_load", "daily_dimensions_sync"):
        relations = task_of(prod[f"insights_{key}"], "load_log", LoadLogOperator).relations
        assert set(relations) == models(f"tag:{key},path:models/marts") != set()
    facts = models("tag:daily_events_load,path:models/marts/core")
    assert "report_task_volume" not in facts and len(facts) >= 5
    assert set(task_of(prod["insights_daily_dimensions_sync"], "gate", Gate).present) == facts
    for dag_id in REVIEWS:
        gate = task_of(prod[dag_id], "gate", Gate)
        assert set(gate.loaded) == facts | models("tag:daily_dimensions_sync,path:models/marts/core")
        own = f"pattern_{dag_id.split('_')[1]}"
        assert set(gate.present) == {"pattern_weekly", "pattern_monthly", "pattern_yearly"} - {own}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dags folder with our file and somebody else's."""
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


def test_a_stale_manifest_is_said_with_the_file_that_is_newer(
    folder: Path, tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    manifest_file().parent.mkdir()
    shutil.copy(manifest, manifest_file())
    assert manifest_problem() is None
    newest = max((PROJECT / "models").rglob("*.sql"), key=lambda file: file.stat().st_mtime).stat().st_mtime
    os.utime(manifest_file(), (newest - 1, newest - 1))
    (message,) = airflow_dags.bag(folder).import_errors.values()
    assert re.search(r"is older than [\w/.]+\.(sql|yml)\. Run: insights manifest", message)


def test_the_command_makes_the_manifest(tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(manifest.parent / "work", tmp_path / "parsed" / "work")  # so that dbt parses fast
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    done = CliRunner().invoke(commands, ["manifest"])
    assert (done.exit_code, done.output.strip()) == (0, str(tmp_path / "parsed" / "manifest.json"))
    assert manifest_problem() is None


def test_the_clock_of_a_run_is_the_end_of_its_interval(prod: dict[str, airflow_dags.DAG]) -> None:
    # The Monday run of 5 January 2026 at 03:00, by the timetable itself.
    before = pendulum.datetime(2026, 1, 2)
    timetable = prod["insights_weekly_pattern_review"].timetable
    info = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(before, None, catchup=True)
    )
    assert info is not None
    monday = datetime(2026, 1, 5, 3, tzinfo=UTC)
    assert (info.run_after, info.data_interval.end) == (monday + timedelta(days=7), monday + timedelta(days=7))
    context: Any = {"params": {"as_of": None}, "data_interval_end": info.data_interval.end}
    assert run_as_of(context) == date(2026, 1, 12)


def test_the_clock_of_a_run_is_its_utc_date() -> None:
    new_york = datetime.fromisoformat("2026-01-04T22:30:00-05:00")
    context: Any = {"params": {}, "data_interval_end": new_york}
    assert run_as_of(context) == date(2026, 1, 5)


def test_the_parameter_is_the_clock() -> None:
    context: Any = {"params": {"as_of": "2025-12-24"}, "data_interval_end": datetime(2026, 1, 5, tzinfo=UTC)}
    assert run_as_of(context) == date(2025, 12, 24)


@pytest.mark.parametrize("asked", ["2026-02-30", "24.12.2025", "", 20251224])
def test_a_clock_that_is_no_date_is_refused(asked: object, prod: dict[str, airflow_dags.DAG]) -> None:
    context: Any = {"params": {"as_of": asked}, "data_interval_end": datetime(2026, 1, 5, tzinfo=UTC)}
    with pytest.raises(InsightsError, match=re.escape(f"as_of is {asked!r}; it must be a date like 2026-01-31")):
        run_as_of(context)
    with pytest.raises(ParamValidationError):
        prod["insights_daily_events_load"].params["as_of"] = asked
