"""Lists of organizations, roles and users, suggestions for wrong words, and the help in sections."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.dashboards.dashboard_scenario import HOSPITAL
from support.exports.spiteful_texts import GUARDED, SPITEFUL
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.cli.tables import show_records

INSIGHTS = str(Path(sys.executable).with_name("insights"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, [*arguments])


@pytest.fixture
def connected(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Return the built sample, to which commands connect as the ETL role."""
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    return built


def test_each_command_is_in_one_section_with_its_whole_summary() -> None:
    lines = run("--help").stdout.split("\n\n")
    sections = {part.partition(":\n")[0]: part for part in lines if part.partition(":")[0].istitle() or ":\n" in part}
    assert [title for title in sections if title in {"Look", "Load", "Share", "Look after", "Set up"}] == [
        "Look",
        "Load",
        "Share",
        "Look after",
        "Set up",
    ]
    text = " ".join(run("--help").stdout.split())
    for name, command in commands.commands.items():
        summary = (command.help or "").split("\n\n")[0]
        assert f" {name} {' '.join(summary.split())}" in text, name


@pytest.mark.services
def test_lists_have_the_rows_of_the_source(connected: Warehouse) -> None:
    rows = json.loads(run("organizations", "--format", "json").stdout)
    source = connected.rows("select slug, id::text from organizations order by slug, id")
    assert [(row["slug"], row["organization_id"]) for row in rows] == source
    table = run("organizations", "--limit", "1").stdout.splitlines()
    assert table[0].split() == ["slug", "organization", "id", "name", "status", "timezone"]
    assert f"and {len(source) - 1} more" in table[-1]

    listed = list(csv.DictReader(io.StringIO(run("roles", "--org", HOSPITAL, "--format", "csv").stdout)))
    codes = connected.rows(
        "select r.code from roles as r left join organizations as o on o.id = r.organization_id"
        " where o.id is null or o.slug = %s order by r.code",
        HOSPITAL,
    )
    assert [(row["role"],) for row in listed] == codes
    assert {row["may_see"] for row in listed} == {"PUBLIC, INTERNAL"}

    users = json.loads(run("users", "--org", HOSPITAL, "--format", "json").stdout)
    query = (
        "select u.id::text from user_accounts as u join organizations as o on o.id = u.organization_id where slug = %s"
    )
    assert {(row["user_id"],) for row in users} == set(connected.rows(query, HOSPITAL))
    assert [row["status"] == "active" for row in users] == sorted([row["status"] == "active" for row in users])[::-1]
    assert set(users[0]) == {"user_id", "status"}


@pytest.mark.services
def test_the_read_only_role_sees_no_users(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.reader_url)
    assert run("organizations").exit_code == 0
    refused = run("users", "--org", HOSPITAL)
    assert refused.exit_code == 1
    assert "permission denied" in str(refused.exception)


@pytest.mark.services
def test_lists_of_words_and_suggestions(connected: Warehouse) -> None:
    asked = ["dashboard", "overview", "--org", HOSPITAL, "--as", "viewer,team_lead"]
    both = run(*asked, "--visibility", "PUBLIC, INTERNAL", "--format", "json")
    assert both.exit_code == 0, both.output
    assert both.stdout == run(*asked, "--visibility", "PUBLIC", "--visibility", "INTERNAL", "--format", "json").stdout
    wrong = run(*asked, "--visibility", "PUBLIC,INTERAL")
    assert str(wrong.exception) == (
        "'INTERAL' is not a visibility; it must be one of PUBLIC, INTERNAL, RESTRICTED. Did you mean INTERNAL?"
    )
    assert "Did you mean overview?" in str(run("dashboard", "overveiw", *asked[2:]).exception)
    assert "`insights organizations` lists" in str(run("roles", "--org", "nowhere").exception)
    assert "Did you mean weekly?" in run("patterns", "list", "--cadence", "weeky").output


def test_a_shell_completes_commands_options_and_choices() -> None:
    def completed(*words: str) -> set[str]:
        given = {
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
            "_INSIGHTS_COMPLETE": "bash_complete",
        }
        done = subprocess.run([INSIGHTS], env=os.environ | given, capture_output=True, text=True, check=True)
        return {line.partition(",")[2] for line in done.stdout.splitlines()}

    assert completed("insights", "dash") == {"dashboard", "dashboards"}
    assert {"--org", "--as", "--visibility"} <= completed("insights", "dashboard", "--")
    assert completed("insights", "roles", "--format", "") == {"table", "json", "csv"}


def test_a_name_is_no_formula_in_a_csv(capsys: pytest.CaptureFixture[str]) -> None:
    show_records([{"name": "=1+1", "id": 1}, {"name": " @x", "id": -2}, {"name": "a-b", "id": 3}], "csv")
    assert capsys.readouterr().out == "name,id\n'=1+1,1\n' @x,-2\na-b,3\n"
    show_records([{"name": text, "id": "x"} for text in SPITEFUL], "csv")
    read = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    assert [row["name"] for row in read] == [GUARDED.get(text, text) for text in SPITEFUL]
