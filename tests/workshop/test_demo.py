"""The demo keeps its day, what its summary suggests works, and a demo with another day is built again."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
import redis
from click.testing import CliRunner
from support.api.server import free_port, of, serving
from support.dashboards.dashboard_settings import changed
from support.saved_parse import save_for_insights

from orchestration.cli import commands
from orchestration.config.files import PROJECT, load_settings
from workshop import demo as job
from workshop.api_demo import api_variables, example_request, example_tokens
from workshop.demo_steps import next_steps
from workshop.demo_variables import (
    DAYS,
    ENVIRONMENT,
    INCIDENTS_DATABASE,
    SAMPLE_DATABASE,
    cache_url,
    demo_of,
    demo_variables,
)
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytest_plugins = ["support.workshop.local_servers"]

TODAY = SAMPLE_AS_OF + timedelta(days=330)
BUILD = "./dev insights build"
RUNNING = re.compile(r"^\./dev insights (.*)$")


@pytest.fixture
def demo(state: Path, monkeypatch: pytest.MonkeyPatch) -> job.Demo:
    """Return a prepared demo with the sample, not yet built."""
    monkeypatch.setenv("INSIGHTS_ENV", ENVIRONMENT)
    demo = job.Demo(load_settings(), state, SAMPLE_DATABASE, SAMPLE_AS_OF)
    job.start_services(demo)
    job.fill_source(demo)
    job.prepare_database(demo)
    return demo


def run(demo: job.Demo, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the summary as `./dev` does, without its setup."""
    roles = demo.settings.insights.warehouse
    own = demo_variables(demo.state, demo.database, roles.write_user, roles.export_user)
    environment = os.environ | own
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = ["bash", "-c", RUNNING.sub(r"insights \1", command)]
    return subprocess.run(
        shell, env=environment | {"PATH": programs}, input="", capture_output=True, text=True, check=False
    )


def loaded_as_of(demo: job.Demo) -> set[date]:
    with psycopg.connect(demo.admin_url) as connection:
        return {day for (day,) in connection.execute("select distinct as_of from insights_ops.load_log")}


@pytest.mark.services
def test_every_command_of_the_summary_works_and_keeps_the_day(demo: job.Demo) -> None:
    # The first load here is the summary's `build`; tests/workshop/test_newcomer.py tests the demo's own.
    save_for_insights(demo.settings, demo.warehouse_url, as_of=demo.as_of.isoformat())
    results = {BUILD: run(demo, BUILD)}
    assert results[BUILD].returncode == 0, results[BUILD].stderr[-2000:]
    steps = [command for command, _what in next_steps(demo)]
    tried = [command for command in steps if not command.startswith("./dev") or RUNNING.match(command)]
    assert [shlex.split(command)[:3][-1] for command in tried[1:]] == ["status", "build", "dashboard", "export"]
    assert set(steps) - set(tried) == {"./dev api", "./dev docs", "./dev airflow", "./dev stop"}
    assert BUILD in tried
    results |= {command: run(demo, command) for command in tried if command != BUILD}
    assert {command: done.stderr[-2000:] for command, done in results.items() if done.returncode} == {}
    assert loaded_as_of(demo) == {SAMPLE_AS_OF}
    dashboard = next(done for command, done in results.items() if " dashboard " in command)
    assert "There is no cache" not in dashboard.stderr
    assert "computed and stored in the cache" in dashboard.stderr
    export = next(done for command, done in results.items() if " export " in command)
    assert "ran as the role that loads" not in export.stderr
    with psycopg.connect(demo.admin_url) as connection:
        found = connection.execute("select distinct database_user from insights_ops.export_audit").fetchall()
    assert found == [(demo.settings.insights.warehouse.export_user,)]
    (exported,) = (demo.state / "exports").glob("cases_*.csv")
    assert len(exported.read_text("utf-8").splitlines()) > 1
    _the_service_answers_its_examples(demo)
    assert job.later_day(demo) is None
    with psycopg.connect(demo.admin_url) as connection:
        months = connection.execute("select distinct month from insights.report_monthly_trends order by 1").fetchall()
    assert months == [(date(2024 + n // 12, n % 12 + 1, 1),) for n in range(1, 24)]


@pytest.mark.services
def test_a_moved_demo_is_found_and_removed_without_its_operational_tables(demo: job.Demo) -> None:
    assert job.later_day(demo) is None
    with psycopg.connect(demo.admin_url) as connection:
        connection.execute(
            "insert into insights_ops.purge_log (relation_name, retention_class, as_of, cutoff, environment)"
            " values ('fact_tasks', 'raw_event', %s, '2024-12-01', 'dev')",
            [TODAY],
        )
    assert job.later_day(demo) == TODAY
    assert job.later_day(replace(demo, as_of=TODAY)) is None
    with redis.Redis.from_url(cache_url(demo.state, SAMPLE_DATABASE)) as cache:
        cache.set("entry", "1")
        job.remove_warehouse(demo)
        assert cache.dbsize() == 0
    assert job.later_day(demo) is None
    with psycopg.connect(demo.admin_url) as connection:
        schemas = connection.execute("select count(*) from pg_namespace where nspname like 'insights%'").fetchone()
        tasks = connection.execute("select count(*) from public.tasks").fetchone()
    assert schemas == (0,)
    assert tasks and tasks[0] > 20_000
    job.prepare_database(demo)


def _the_service_answers_its_examples(demo: job.Demo) -> None:
    """Check that the service answers a request with each token that `./dev api` prints."""
    settings = changed(demo.settings, {"reports_api.port": free_port(), "reports_api.timeout_ms": 60_000})
    variables = api_variables(settings, demo.state, demo.database)
    requests = {slug: example_request(settings, id_, token) for slug, id_, token in example_tokens(settings, variables)}
    assert "sample-hospital" in requests
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        with serving(
            of(changed(settings, {"cache.url": variables["INSIGHTS_REDIS_URL"]}), variables["INSIGHTS_WAREHOUSE_URL"])
        ):
            for command in requests.values():
                done = run(demo, f"{command} --silent --fail")
                assert done.returncode == 0, done.stderr
                assert json.loads(done.stdout)["visibilities"] == ["PUBLIC", "INTERNAL"]


def test_a_demo_is_known_by_its_address(tmp_path: Path) -> None:
    urls = {name: LocalPostgres(tmp_path).url(name, "etl") for name in DAYS}
    assert {demo_of(tmp_path, url, "etl") for url in urls.values()} == {SAMPLE_DATABASE, INCIDENTS_DATABASE}
    assert demo_of(tmp_path, "postgresql://etl@db.example.org/demo", "etl") is None
    assert demo_of(tmp_path, LocalPostgres(tmp_path).url("demo_airflow", "etl"), "etl") is None


def test_what_the_caller_sets_takes_precedence(tmp_path: Path) -> None:
    given = {"INSIGHTS_AS_OF": "2025-06-01", "INSIGHTS_REDIS_URL": "x", "INSIGHTS_EXPORT_KEY": "y"}
    own = demo_variables(tmp_path, SAMPLE_DATABASE, "etl", "export", given)
    assert (own["INSIGHTS_AS_OF"], own["INSIGHTS_ENV"]) == ("2025-06-01", "staging")
    assert own["INSIGHTS_REDIS_URL"] == cache_url(tmp_path, SAMPLE_DATABASE)
    again = demo_variables(tmp_path, INCIDENTS_DATABASE, "etl", "export", {})
    assert again["INSIGHTS_AS_OF"] == "2017-02-19"
    assert demo_variables(tmp_path, SAMPLE_DATABASE, "etl", "export", {"INSIGHTS_ENV": "dev"})["INSIGHTS_ENV"] == "dev"
    assert again["INSIGHTS_EXPORT_KEY"] == own["INSIGHTS_EXPORT_KEY"] != "y"  # the databases know no other
    assert (tmp_path / "export-key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("command", ["build", "reconcile", "rebuild", "purge"])
def test_the_variable_is_the_default_of_the_day(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_AS_OF", "2026-02-30")
    result = CliRunner().invoke(commands, [command])
    assert result.exit_code == 2
    assert "INSIGHTS_AS_OF" in result.output
    assert "2026-02-30" in result.output


def test_the_script_passes_on_a_demo_and_no_other_database() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workshop.services", "demo-of", "postgresql://x/demo"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "\n"
