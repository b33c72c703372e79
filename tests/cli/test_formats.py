"""Each command that prints rows or a state prints them as a table, JSON or CSV, and its help has an example."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import click
import pytest
from click.testing import CliRunner, Result
from support.dashboards.dashboard_scenario import HOSPITAL
from support.readers import add_reader, largest_organizations, remove_reader
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.cli.tables import show_records, write_json, write_records
from workshop.services import LocalRedis

# What these print is a sentence, dbt's own output, or a document of another kind.
WITHOUT_ROWS = {
    "api": "one line of JSON for each request",
    "backup ledger": "a JSON document",
    "build": "dbt's output",
    "config schema": "a JSON Schema",
    "digest show": "a message as text, HTML or JSON",
    "docs": "the address of a page",
    "env": "lines for a shell",
    "export": "the file has the rows; --format is the file's",
    "metrics serve": "it serves",
    "metrics show": "Prometheus' text format",
    "alerts test": "a sentence",
    "manifest": "the path of a file",
    "reader add": "a sentence",
    "reader remove": "a sentence",
    "rebuild": "dbt's output",
    "reconcile": "dbt's output, and sentences",
    "reviews retry": "a sentence",
    "run": "lines of its steps",
    "semantic-models": "a properties file of dbt",
    "snapshot": "a sentence about the files that it has written",
    "systemd": "the names of files",
}
LONGEST_FIRST_SENTENCE = 60  # characters, so that a line of `--help` says all of it


def _leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


LEAVES = dict(_leaves(commands))


def run(command: str, *more: str) -> Result:
    done = CliRunner().invoke(commands, [*command.split(), *more], catch_exceptions=False)
    assert done.exit_code in (0, 1, 3), done.output
    return done


def test_each_command_that_prints_rows_has_the_three_formats() -> None:
    forms = {name: [option for option in command.params if option.name == "form"] for name, command in LEAVES.items()}
    assert {name for name, options in forms.items() if not options} == set(WITHOUT_ROWS)
    for name, options in forms.items():
        for option in options:
            assert isinstance(option.type, click.Choice), name
            assert (option.opts, list(option.type.choices)) == (["--format"], ["table", "json", "csv"]), name


@pytest.mark.parametrize("name", LEAVES)
def test_the_help_of_a_command_has_an_example_of_it_and_a_short_summary(name: str) -> None:
    command = LEAVES[name]
    example = (command.epilog or "").removeprefix("Example: ")
    assert f"insights {name}" in example, name
    first = (command.help or "").split("\n\n")[0]
    assert first.endswith("."), name
    assert len(" ".join(first.split())) <= LONGEST_FIRST_SENTENCE, name
    assert all(getattr(option, "help", "") for option in command.params if isinstance(option, click.Option)), name


@pytest.mark.parametrize("group", [name for name, found in commands.commands.items() if isinstance(found, click.Group)])
def test_the_list_of_a_group_has_whole_summaries(group: str) -> None:
    text = " ".join(run(group, "--help").stdout.split())
    for name, command in LEAVES.items():
        if name.startswith(f"{group} "):
            assert " ".join((command.help or "").split("\n\n")[0].split()).rstrip(".") in text, name


@pytest.fixture
def connected(built: Warehouse, redis_server: LocalRedis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """Return the built sample with one reader, to which commands connect as the ETL role."""
    monkeypatch.setenv("INSIGHTS_ADMIN_URL", built.admin_url)
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    monkeypatch.setenv("INSIGHTS_REDIS_URL", redis_server.url())
    _, slug = largest_organizations(built)[0]
    add_reader(built, slug)
    yield built
    remove_reader(built, slug)


@pytest.mark.services
def test_csv_and_json_have_the_same_rows(connected: Warehouse) -> None:
    pattern = connected.value("select pattern_id::text from insights.pattern_yearly order by 1 limit 1")
    asked = {
        "backup check": (),
        "config check": (),
        "config show": (),
        "dashboards": (),
        "digest list": (),
        "digest send": (),
        "doctor": (),
        "exports audit": (),
        "exports make": ("--every", "month"),
        "exports list": (),
        "init": ("--plan",),
        "organizations": (),
        "patterns explain": (pattern,),
        "patterns list": (),
        "purge": (),
        "reader list": (),
        "reviews list": (),
        "reviews send": (),
        "roles": (),
        "users": ("--org", HOSPITAL),
        "warm": ("--dashboard", "overview", "--seconds", "60"),
    }
    elsewhere = {"dashboard", "status", "publish", "replicate"}  # below, in tests/engines and tests/replication
    # On a server that is backed up: tests/backups.
    elsewhere |= {f"backup {name}" for name in ("configure", "run", "drill", "reapply")}
    assert asked.keys() | elsewhere | WITHOUT_ROWS.keys() == LEAVES.keys()
    for name, arguments in asked.items():
        records = json.loads(run(name, *arguments, "--format", "json").stdout)
        text = run(name, *arguments, "--format", "csv").stdout
        lines = list(csv.DictReader(io.StringIO(text)))
        assert len(lines) == len(records), name
        assert [set(line) for line in lines] == [set(record) for record in records], name
        assert run(name, *arguments).exit_code == run(name, *arguments, "--format", "json").exit_code, name
    assert connected.value("select count(*) from insights_ops.review_requests") > 0
    listed = json.loads(run("reviews list", "--limit", "1", "--format", "json").stdout)
    assert len(listed) == connected.value("select count(*) from insights_ops.review_requests")


@pytest.mark.services
def test_the_state_of_the_warehouse_is_a_list_in_csv(connected: Warehouse) -> None:
    document = json.loads(run("status", "--format", "json").stdout)
    lines = list(csv.DictReader(io.StringIO(run("status", "--format", "csv").stdout)))
    marts = {line["name"]: line for line in lines if line["kind"] == "mart"}
    assert marts.keys() == {mart["name"] for mart in document["marts"]}
    assert marts["fact_tasks"]["rows"] == str(connected.value("select count(*) from insights.fact_tasks"))
    for kind in ("rejected", "flagged", "drift"):
        assert len([line for line in lines if line["kind"] == kind]) == len(document[kind]), kind


@pytest.mark.services
def test_a_dashboard_is_one_panel_in_csv(connected: Warehouse) -> None:
    asked = ("--org", HOSPITAL, "--as", "manager", "--visibility", "PUBLIC,INTERNAL")
    whole = json.loads(run("dashboard overview", *asked, "--format", "json").stdout)
    for panel, content in whole.items():
        rows = list(
            csv.DictReader(io.StringIO(run("dashboard overview", *asked, "--format", "csv", "--panel", panel).stdout))
        )
        expected = [{k: "" if v is None else str(v) for k, v in row.items()} for row in content["rows"]]
        assert rows == expected, panel
    first = next(iter(whole))
    chosen = json.loads(run("dashboard overview", *asked, "--panel", first, "--format", "json").stdout)
    assert chosen == {first: whole[first]}
    refused = CliRunner().invoke(commands, ["dashboard", "overview", *asked, "--format", "csv"])
    assert str(refused.exception) == f"--format csv prints one panel. Choose with --panel one of: {', '.join(whole)}."
    wrong = CliRunner().invoke(commands, ["dashboard", "overview", *asked, "--panel", f"{first}x"])
    assert str(wrong.exception).endswith(f"Did you mean {first}?")


def test_values_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    # Five in the afternoon, two hours east of Greenwich, is three in UTC.
    there = datetime(2026, 1, 2, 17, tzinfo=timezone(timedelta(hours=2)))
    record = {"at": there, "words": ["a", "b"], "is_new": True, "by": {"x": 1}, "none": None}
    write_records([record], "csv")
    assert capsys.readouterr().out == 'at,words,is_new,by,none\n2026-01-02 15:00:00+00:00,"a, b",yes,x,\n'
    write_json(record)
    expected = {"at": "2026-01-02T15:00:00+00:00", "words": ["a", "b"], "is_new": True, "by": {"x": 1}, "none": None}
    assert json.loads(capsys.readouterr().out) == expected
    write_records([], "csv")
    assert capsys.readouterr().out == ""
    write_records([], "json")
    assert json.loads(capsys.readouterr().out) == []
    show_records([{"loaded_at": datetime(2026, 1, 2, tzinfo=UTC), "is_new": False}], "table")
    assert capsys.readouterr().out == "  loaded at                  is new\n  2026-01-02 00:00:00+00:00  no\n"
