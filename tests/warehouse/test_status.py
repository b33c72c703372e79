"""`insights status` shows the age of each mart and failed tests, and its exit code is for a monitor."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.config.cron import latest_time
from orchestration.config.files import load_settings
from orchestration.warehouse.status import due_day

TEST = "assert_closed_means_closed"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "now", "latest"),
    [
        ("0 2 * * *", "2026-03-01 02:00", "2026-03-01 02:00"),
        ("0 2 * * *", "2026-03-01 01:59", "2026-02-28 02:00"),
        ("*/15 * * * *", "2026-03-01 00:14", "2026-03-01 00:00"),
        ("0 3 * * 1", "2026-03-04 12:00", "2026-03-02 03:00"),  # a Monday
        ("0 3 * * 7", "2026-03-04 12:00", "2026-03-01 03:00"),  # 7 is Sunday, as 0 is
        ("0 4 1 * *", "2026-03-01 03:00", "2026-02-01 04:00"),
        ("0 5 1 1 *", "2026-01-01 05:00", "2026-01-01 05:00"),
        ("0 5 1 1 *", "2026-01-01 04:00", "2025-01-01 05:00"),
        ("0 0 29 2 *", "2104-02-28 00:00", "2096-02-29 00:00"),
        ("0 0 13 * 5", "2026-03-12 00:00", "2026-03-06 00:00"),  # a Friday: either day is enough
        ("0 22-23,1 * jan-mar mon-fri", "2026-04-05 00:00", "2026-03-31 23:00"),
    ],
)
def test_the_latest_time_of_a_schedule(expression: str, now: str, latest: str) -> None:
    assert latest_time(expression, at(now)) == at(latest)


def test_a_load_may_take_its_time_before_its_marts_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    settings = load_settings()
    assert settings.insights.etl.late_after_minutes == 60
    assert due_day(settings, "daily_events_load", at("2026-03-02 02:59")) == at("2026-03-01").date()
    assert due_day(settings, "daily_events_load", at("2026-03-02 03:00")) == at("2026-03-02").date()
    assert due_day(settings, "weekly_pattern_review", at("2026-03-02 03:59")) == at("2026-02-23").date()


def status(expected: int, *arguments: str) -> str:
    result = CliRunner().invoke(commands, ["status", *arguments])
    assert result.exit_code == expected, (result.output, result.exception)
    return result.output


def document(expected: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(status(expected, "--format", "json"))
    return found


@pytest.mark.services
def test_the_status_of_each_mart(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    found = document(0)
    marts = {mart["name"]: mart for mart in found["marts"]}
    loaded_at = built.value("select logged_at from insights_ops.load_log where relation_name = 'report_profile_scores'")
    assert marts["report_profile_scores"] == {
        "name": "report_profile_scores",
        "rows": built.value("select count(*) from insights.report_profile_scores"),
        "data_up_to": "2026-01-01",
        "loaded_at": loaded_at.astimezone(UTC).isoformat(),
        "is_late": None,
    }
    assert marts["tokens"] | {"rows": 0} == {
        "name": "tokens",
        "rows": 0,
        "data_up_to": None,
        "loaded_at": None,
        "is_late": None,
    }
    assert (found["environment"], found["is_in_order"], found["late"]) == ("dev", True, [])
    lines = status(0).splitlines()
    (line,) = [line for line in lines if line.startswith("  report_profile_scores ")]
    assert line.split()[2:] == ["2026-01-01", *loaded_at.astimezone(UTC).isoformat(" ", "seconds").split(), "-"]


@pytest.mark.services
def test_marts_are_late_by_the_schedule_of_their_dag(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    found = document(3)
    assert {"fact_tasks", "report_profile_scores", "pattern_weekly", "dim_roles"} < set(found["late"])
    assert found["is_in_order"] is False
    built.execute("update insights_ops.load_log set horizon = (now() at time zone 'UTC')::date")
    assert document(0)["late"] == []
    built.execute("delete from insights_ops.load_log where relation_name = 'dim_roles'")
    assert document(3)["late"] == ["dim_roles"]
    assert "Warning: late: dim_roles" in status(3)
    built.execute("update insights_ops.load_log set horizon = '2026-01-01'")
    monkeypatch.setenv("INSIGHTS_AS_OF", "2026-01-01")  # no load is expected after this day
    assert document(3)["late"] == ["dim_roles"]
    monkeypatch.setenv("INSIGHTS_AS_OF", "2026-01-02")  # a Friday: no review is due
    assert {"dim_roles", "fact_tasks"} < set(document(3)["late"])
    assert "pattern_weekly" not in document(3)["late"]


@pytest.mark.services
def test_a_failed_test_is_shown_until_it_passes(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    select = ["--select", TEST, "assert_facts_match_dimensions"]
    assert built.build(*select, command="test").succeeded
    tests = document(0)["tests"]
    assert (tests["count"], tests["failed"]) == (2, [])
    # One closed task loses its completion time.
    built.execute(
        "create table public.kept as select id, time_to_completion_seconds as seconds from insights.fact_tasks"
        " where closed_date_key > created_date_key order by id limit 1"
    )
    built.execute(
        "update insights.fact_tasks set time_to_completion_seconds = null where id = (select id from public.kept)"
    )
    assert not built.build(*select, command="test").succeeded
    tests = document(3)["tests"]
    assert [(name, rows) for name, rows, _at in tests["failed"]] == [(TEST, 1)]
    assert TEST in status(3)
    built.execute(
        "update insights.fact_tasks as f set time_to_completion_seconds = k.seconds from public.kept as k"
        " where f.id = k.id"
    )
    assert built.build("--select", TEST, command="test").succeeded
    assert document(0)["tests"]["count"] == 2
    # A warning is shown, and everything is in order all the same.
    built.execute(
        "update insights_ops.test_results set status = 'warn', failures = 7 where test_name like 'assert_facts%'"
    )
    assert [(name, rows) for name, rows, _at in document(0)["tests"]["warned"]] == [
        ("assert_facts_match_dimensions", 7)
    ]
    assert "Warnings" in status(0)


@pytest.mark.services
def test_results_of_tests_that_are_gone_leave_and_an_older_database_stops_no_run(built: Warehouse) -> None:
    built.execute("insert into insights_ops.test_results values ('gone', 'fail', 1, 'x')")
    assert built.build("--select", TEST, command="test").succeeded
    assert built.rows("select test_name from insights_ops.test_results") == [(TEST,)]
    built.execute("drop table insights_ops.test_results")
    assert built.build("--select", TEST, command="test").succeeded
