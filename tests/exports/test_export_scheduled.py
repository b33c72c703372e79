"""Scheduled exports: which days they are of, what a second run does, and that one that fails holds up no other."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from support.config_project import ConfigProject
from support.exports.exporting import HOSPITAL, ExportSession, read

from orchestration.cli import commands
from orchestration.config.files import CONFIG_FILE, PROJECT
from orchestration.config.outputs_model import ScheduledExport
from orchestration.exports.scheduled import Made, Period, last_period, make_scheduled, requests

pytest_plugins = ["support.exports.export_sessions"]
AS_OF = date(2026, 1, 1)  # a Thursday


@pytest.mark.parametrize(
    ("every", "as_of", "since", "until"),
    [
        ("day", "2026-03-01", "2026-02-28", "2026-03-01"),
        ("week", "2026-01-01", "2025-12-22", "2025-12-29"),
        ("week", "2026-01-05", "2025-12-29", "2026-01-05"),  # a Monday: the week that ended the night before
        ("month", "2026-01-01", "2025-12-01", "2026-01-01"),
        ("month", "2026-01-31", "2025-12-01", "2026-01-01"),
        ("month", "2024-03-15", "2024-02-01", "2024-03-01"),
    ],
)
def test_the_period_that_ended_last(every: Period, as_of: str, since: str, until: str) -> None:
    expected = (date.fromisoformat(since), date.fromisoformat(until))
    assert last_period(every, date.fromisoformat(as_of)) == expected


def declared(session: ExportSession, **other: str) -> ScheduledExport:
    given = {"name": "hospital_tasks", "export": "tasks", "organization": HOSPITAL, "every": "month"}
    return ScheduledExport.model_validate(given | {"user": session.user()} | other)


def made(session: ExportSession, every: Period = "month", as_of: date = AS_OF) -> list[Made]:
    settings = session.settings
    return list(make_scheduled(settings, session.definitions, requests(settings, every, as_of)))


@pytest.mark.services
def test_each_is_made_once_and_a_failing_one_holds_up_no_other(own_session: ExportSession) -> None:
    nobody = declared(own_session, name="of_nobody", user="00000000-0000-4000-8000-000000000000")
    unknown = declared(own_session, name="unknown", export="taskz")
    later = declared(own_session, name="cells", export="monthly_task_totals", format="jsonl")
    weekly = declared(own_session, name="weekly", every="week")
    session = own_session.changed(scheduled=[nobody, unknown, declared(own_session), later, weekly])
    first = made(session)
    assert [one.request.output for one in first if one.error] == ["of_nobody_2025-12-01", "unknown_2025-12-01"]
    assert "no active user" in str(first[0])
    assert "There is no export taskz" in str(first[1])
    files = [Path(str(one.location)) for one in first[2:]]
    assert [file.name for file in files] == ["hospital_tasks_2025-12-01.csv", "cells_2025-12-01.jsonl"]
    # Counted in the operational tables: what may leave of December's tasks.
    tasks = session.warehouse.value(
        "select count(*) from insights.fact_tasks as f join organizations as o on f.organization_id = o.id"
        " where o.slug = %s and f.created_date_key between '2025-12-01' and '2025-12-31'"
        " and f.visibility in ('PUBLIC', 'INTERNAL')",
        HOSPITAL,
    )
    assert len(read(files[0])) == first[2].rows == tasks > 0
    assert [str(one) for one in made(session)[2:]] == ["made before"] * 2
    assert len(session.files()) == 4, "two files, each with its manifest"
    assert [one.request.output for one in made(session, "week")] == ["weekly_2025-12-22"]


@pytest.mark.services
def test_days_that_are_not_loaded_yet_are_waited_for(own_session: ExportSession) -> None:
    session = own_session.changed(scheduled=[declared(own_session, every="day")])
    (one,) = made(session, "day", date(2026, 1, 3))
    assert one.error is not None
    assert one.error.is_transient
    assert "fact_tasks holds data before 2026-01-01 only" in str(one)
    assert session.files() == []


@pytest.mark.services
def test_the_command_says_what_became_of_each(
    own_session: ExportSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = yaml.safe_load((PROJECT / CONFIG_FILE).read_text("utf-8"))
    given = declared(own_session).model_dump()
    document["insights"]["exports"]["scheduled"] = [given, given | {"name": "second", "export": "taskz"}]
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(document), "utf-8")
    monkeypatch.setenv("INSIGHTS_CONFIG", str(file))
    asked = ["exports", "make", "--every", "month", "--as-of", "2026-01-01", "--format", "json"]
    result = CliRunner().invoke(commands, asked)
    assert result.exit_code == 1
    first, second = json.loads(result.output)
    assert first["result"].endswith("hospital_tasks_2025-12-01.csv")
    assert second["result"].startswith("There is no export taskz")


def test_two_of_one_name_are_an_error(tmp_path: Path) -> None:
    project = ConfigProject.copy_to(tmp_path)
    one = "{ name: same, export: tasks, organization: a, user: b, every: day }"
    project.edit("    scheduled: []", f"    scheduled: [{one}, {one}]")
    (said,) = project.said()
    assert "insights.exports.scheduled.1.name is same: names two scheduled exports" in said.replace('"', "")
