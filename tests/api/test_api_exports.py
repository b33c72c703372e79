"""The exports over HTTP: those that exist, and the attempts of the user who asks, never those of others."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.api.contract import check
from support.api.server import Api, Got
from support.api.tokens import token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.exports.exporting import ExportSession, project
from support.warehouse import connect_as

from orchestration.exports.definitions import definitions

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

LIST = "/v1/organizations/{organization_id}/exports"


@pytest.fixture
def session(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExportSession:
    return ExportSession.at(api.warehouse, tmp_path / "exports", monkeypatch)


def ask(api: Api, user: str, query: str = "", slug: str = HOSPITAL) -> Got:
    id_ = api.organization(slug)
    return api.get(f"/v1/organizations/{id_}/exports{query}", token(id_, sub=user))


def attempts(api: Api, user: str, query: str = "", slug: str = HOSPITAL) -> list[dict[str, Any]]:
    got = ask(api, user, query, slug)
    assert got.status == 200, got.body
    found: list[dict[str, Any]] = got.json["attempts"]
    return found


def test_every_export_is_listed(api: Api, document: dict[str, Any]) -> None:
    got = ask(api, "nobody")
    check(document, LIST, got)
    listed = {export["name"]: export for export in got.json["exports"]}
    assert listed.keys() == definitions(project()).keys()
    assert listed["tasks"]["kind"] == "rows"
    assert "task_id" in listed["tasks"]["columns"]
    assert set(listed["tasks"]["masked_columns"]) <= set(listed["tasks"]["columns"])
    assert listed["monthly_task_totals"]["kind"] == "aggregate"
    assert listed["monthly_task_totals"]["masked_columns"] == []
    assert (got.json["attempts"], got.json["formats"]) == ([], ["csv", "csv.gz", "jsonl", "parquet", "xlsx"])


def test_what_became_of_ones_own_exports(api: Api, session: ExportSession, document: dict[str, Any]) -> None:
    user = session.user()
    done = session.export("tasks")
    session.refusal("no-such-export")
    got = ask(api, user)
    check(document, LIST, got)
    refused, finished = got.json["attempts"]
    assert (refused["state"], refused["export"], refused["rows"]) == ("refused", "no-such-export", None)
    manifest = json.loads((Path(done.location).parent / f"{Path(done.location).name}.manifest.json").read_text())
    assert finished["export_id"] == manifest["export_id"]
    assert (finished["state"], finished["export"]) == ("finished", "tasks")
    assert (finished["rows"], finished["bytes"], finished["sha256"]) == (
        manifest["rows"],
        manifest["bytes"],
        manifest["sha256"],
    )
    assert (finished["from"], finished["to"]) == (manifest["filters"]["from"], manifest["filters"]["to"])
    assert attempts(api, user.upper()) == got.json["attempts"]
    assert attempts(api, user, "?limit=1") == [refused]
    assert b"There is no export" not in got.body  # reasons are for operators


def test_columns_are_those_of_the_files(api: Api, session: ExportSession) -> None:
    listed = {export["name"]: export for export in ask(api, "nobody").json["exports"]}
    masked = 0
    for name, export in listed.items():
        done = session.export(name)
        manifest = json.loads((Path(done.location).parent / f"{Path(done.location).name}.manifest.json").read_text())
        assert export["columns"] == [column["name"] for column in manifest["columns"]]
        assert export["masked_columns"] == [column["name"] for column in manifest["columns"] if column["masked"]]
        masked += len(export["masked_columns"])
    assert masked > 0


def test_nobody_sees_the_exports_of_others(api: Api, session: ExportSession) -> None:
    session.export("tasks")
    user, other = session.user(), session.user(number=1)
    assert attempts(api, user)
    assert attempts(api, other) == []
    assert attempts(api, user, slug=STORES) == []
    for name in ("%", f"{user}' or true --", "*", f"{user} "):
        assert attempts(api, name) == []


def test_a_running_export_and_one_that_was_killed(api: Api, session: ExportSession) -> None:
    user = session.user()
    process = session.start("tasks", "running")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "streaming\n"
        assert attempts(api, user, "?limit=1")[0]["state"] == "running"
        process.send_signal(signal.SIGKILL)
        process.wait()
        api.warehouse.wait_for("select not bool_or(insights_ops.is_held(c)) from insights_ops.export_claims as c")
        assert attempts(api, user, "?limit=1")[0]["state"] == "aborted"
    finally:
        process.kill()


def test_the_role_of_the_service_reads_nothing_else_of_the_audit(api: Api) -> None:
    with connect_as(api.warehouse.reader_url) as connection:
        for relation in ("export_audit", "export_claims"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select from insights_ops.{relation}")
    with connect_as(api.warehouse.admin_url) as connection:
        granted = connection.execute(
            "select has_function_privilege("
            "'orgo_insights_export', 'insights_ops.own_exports(uuid, text, text, integer)', 'execute')"
        )
        assert granted.fetchall() == [(False,)]


@pytest.mark.parametrize("query", ["?limit=0", "?limit=201", "?user=x", "?visibility=PUBLIC", "?limit=1&limit=2"])
def test_wrong_parameters(api: Api, document: dict[str, Any], query: str) -> None:
    got = ask(api, "nobody", query)
    check(document, LIST, got)
    assert got.status == 422
