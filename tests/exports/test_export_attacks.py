"""Attempts to export data of another organization, or to run SQL. None succeeds, and each is in the audit."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import subprocess
import sys
from uuid import uuid4

import pytest
from support.exports.attacks import AUDIT
from support.exports.exporting import HOSPITAL, STORES, ExportSession, mask
from support.warehouse import connect_as

from orchestration.errors import InsightsError

pytest_plugins = ["support.exports.export_sessions"]

pytestmark = pytest.mark.services

SQL = ["'; drop table insights.fact_tasks; --", "x' or '1'='1", '") or true --', "%s", "{}", "$1", "\\", "a;b"]


# Another's data


@pytest.mark.parametrize("form", ["slug", "id"])
def test_another_organization_by_its_slug_or_id_with_ones_own_user(session: ExportSession, form: str) -> None:
    other = STORES if form == "slug" else session.organization_id(STORES)
    assert "has no active user" in session.refusal("tasks", organization=other)


def test_ones_own_organization_with_another_organizations_user(session: ExportSession) -> None:
    stranger, missing = session.user(STORES), str(uuid4())
    refusals = {who: session.refusal("tasks", user=who).replace(who, "X") for who in (stranger, missing)}
    assert refusals[stranger] == refusals[missing]  # the refusal does not reveal that the stranger exists


def test_a_user_who_is_not_active(session: ExportSession) -> None:
    assert "has no active user" in session.refusal("tasks", user=session.user(status="inactive"))


@pytest.mark.parametrize("user", ["", "*", "%", "null", "00000000-0000-0000-0000-000000000000", " ", "{}"])
def test_a_user_id_that_names_no_single_user_is_refused(session: ExportSession, user: str) -> None:
    assert "has no active user" in session.refusal("tasks", user=user)


@pytest.mark.parametrize("organization", ["*", "%", "_", "", "sample-%", "sample", f"{HOSPITAL},{STORES}", " ", "null"])
def test_a_wildcard_for_the_organization(session: ExportSession, organization: str) -> None:
    assert "There is no organization" in session.refusal("tasks", organization=organization)


def test_an_organization_whose_slug_is_the_id_of_another(own_session: ExportSession) -> None:
    victim = own_session.organization_id(STORES)
    own_session.warehouse.execute(f"update insights.dim_organizations set slug = '{victim}' where slug = '{HOSPITAL}'")
    assert "Several organizations have the slug" in own_session.refusal("tasks", organization=victim)


def test_rows_of_another_organization_through_a_join(own_session: ExportSession) -> None:
    # A dimension row that claims to be of a task of ours, but is another organization's.
    ours = own_session.rows("tasks", file_format="jsonl")
    victim = ours[0]["task_id"]
    own_session.warehouse.execute(
        f"update insights.dim_tasks set label = 'of another', organization_id = '{own_session.organization_id(STORES)}'"
        f" where task_id = '{victim}'"
    )
    rows = own_session.rows("tasks", file_format="jsonl")
    assert len(rows) == len(ours)
    assert [row["label"] for row in rows if row["task_id"] == victim] == [None]


# SQL where none belongs


@pytest.mark.parametrize("option", ["name", "organization", "user", "file_format", "output"])
def test_sql_in_every_option(session: ExportSession, option: str) -> None:
    before = session.warehouse.value("select count(*) from insights.fact_tasks")
    for text in SQL:
        request = {"name": "tasks", "organization": HOSPITAL, "output": "x"} | {option: text}
        session.refusal(request.pop("name"), **request)
        column = {"name": "export_name", "user": "requested_by", "file_format": "format"}.get(option, option)
        assert session.warehouse.value(f"select {column} from {AUDIT} order by export_audit_id desc limit 1") == text
    assert session.warehouse.value("select count(*) from insights.fact_tasks") == before


def test_texts_that_postgresql_cannot_keep_are_recorded_all_the_same(session: ExportSession) -> None:
    for text in ("a\0b", "a\udcffb", "x" * 10_000):
        with pytest.raises(InsightsError):
            session.export(text)
        assert session.audit()[-1] == "refused"


def test_sql_in_a_date_begins_nothing(session: ExportSession) -> None:
    events = len(session.audit())
    for option in ("--from", "--to"):
        command = [sys.executable, "-c", "from orchestration.cli import main; main()", "export", "tasks", "--org"]
        command += [HOSPITAL, "--user", session.user(), "--output", "x", "--from", "2025-01-01", "--to", "2026-01-01"]
        done = subprocess.run([*command, option, SQL[0]], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "does not match the format" in done.stderr
    assert len(session.audit()) == events


def test_a_planted_sha256_function(own_session: ExportSession) -> None:
    # The ETL role may make functions in its schemas and set its own search_path: masks that mask nothing.
    with connect_as(own_session.warehouse.etl_url) as connection:
        connection.execute("create function insights_staging.sha256(bytea) returns bytea language sql as 'select $1'")
        connection.execute(
            f"alter role orgo_insights_etl in database {own_session.warehouse.name}"
            " set search_path = insights_staging, pg_catalog"
        )
    keys = dict(
        own_session.warehouse.rows("select case_id::text, visible_source_keys from insights_personal.personal_cases")
    )
    organization = own_session.organization_id()
    for row in own_session.rows("cases", file_format="jsonl"):
        assert row["source_keys"] == sorted(mask(key, organization) for key in keys[row["case_id"]])
