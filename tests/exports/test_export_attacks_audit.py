"""Attempts to pass the row limit or to change what the audit says. None succeeds."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from support.exports.attacks import AUDIT
from support.exports.exporting import HOSPITAL, ExportSession
from support.pooler import Pooler
from support.warehouse import Warehouse, connect_as

from orchestration.cli import commands
from orchestration.errors import InsightsError
from orchestration.exports.run import run_export
from workshop.services import LocalPostgres

pytest_plugins = ["support.exports.export_sessions"]

pytestmark = pytest.mark.services


@pytest.fixture
def pooler(shared: Warehouse) -> Iterator[str]:
    """Yield the URL of the shared warehouse through a proxy that replaces the cancel key, as poolers do."""
    with Pooler(shared.postgres.socket_dir / ".s.PGSQL.5432") as port:
        yield f"postgresql://orgo_insights_etl@127.0.0.1:{port}/{shared.name}?sslmode=disable&gssencmode=disable"


# Limits


def test_the_row_limit_by_format(session: ExportSession) -> None:
    few = session.changed(max_rows_per_export=100)
    for file_format in ("csv", "csv.gz", "jsonl"):
        assert "more than 100 rows" in few.refusal("tasks", file_format=file_format)


def test_twenty_parallel_starts(session: ExportSession, tmp_path: Path) -> None:
    """Start each on its own connection, as on another machine; slots are held until all have started."""
    gate = threading.Barrier(20)
    settings = session.changed(max_parallel_exports_per_user=3)
    user = session.user()

    def start(number: int) -> str:
        # The id of a user in another writing is the same user.
        request = settings.request("tasks", user=user.upper() if number % 2 else user, output=f"twenty_{number}")
        waited = threading.Event()

        def wait(done: int, rows: int) -> None:
            if not waited.is_set():
                waited.set()
                gate.wait(300)

        try:
            run_export(settings.settings, settings.definitions, request, wait)
        except InsightsError as error:
            gate.wait(300)
            return str(error)
        return "done"

    with ThreadPoolExecutor(20) as pool:
        outcomes = Counter(pool.map(start, range(20)))
    assert outcomes.pop("done") == 3
    ((says, number),) = outcomes.items()
    assert (number, "already runs as many exports" in says) == (17, True)
    assert len([name for name in session.files() if name.startswith("twenty_")]) == 6  # three, each with its manifest


def test_through_a_pooler(session: ExportSession, pooler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", pooler)
    assert "leads to a connection pooler" in replace(session, settings=replace(session.settings)).refusal("tasks")


# The audit


def test_editing_ones_own_row_of_the_audit(session: ExportSession) -> None:
    session.export("tasks")
    before = session.warehouse.rows(f"select a::text from {AUDIT} as a order by 1")
    statements = [
        f"update {AUDIT} set reason = 'x'",
        f"update {AUDIT} set requested_by = 'x'",
        f"delete from {AUDIT}",
        f"truncate {AUDIT}",
        f"drop table {AUDIT}",
        f"alter table {AUDIT} disable trigger all",
        f"alter table {AUDIT} owner to orgo_insights_etl",
        f"alter table {AUDIT} add column mine text",
        f"create rule quiet as on insert to {AUDIT} do instead nothing",
        f"create trigger quiet before insert on {AUDIT} execute function suppress_redundant_updates_trigger()",
        "drop index insights_ops.export_audit_end",
        "drop schema insights_ops cascade",
        f"insert into {AUDIT} (export_id, event, logged_at) values (gen_random_uuid(), 'refused', '2000-01-01')",
        f"insert into {AUDIT} (export_id, event, database_user) values (gen_random_uuid(), 'refused', 'another_user')",
        f"insert into {AUDIT} (export_audit_id) overriding system value values (1)",
        "alter role orgo_insights_ro rename to another_user",
        "set session authorization postgres",
        "set role postgres",
    ]
    with connect_as(session.warehouse.etl_url) as connection:
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
        connection.execute(f"grant all on {AUDIT} to orgo_insights_etl")  # a warning; nothing is granted
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"delete from {AUDIT}")
    with connect_as(session.warehouse.reader_url) as connection:
        for statement in (f"select * from {AUDIT}", f"select count(*) from {AUDIT}", statements[2]):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    assert session.warehouse.rows(f"select a::text from {AUDIT} as a order by 1") == before


def test_writing_a_second_end_for_a_try(session: ExportSession) -> None:
    session.export("tasks")
    given = (
        "requested_by, organization, export_name, format, output, from_date, to_date, is_masked, config_version,"
        " environment"
    )
    copy = (
        f"insert into {AUDIT} (export_id, event, reason, {given}) select export_id, %s, %s, {given} from {AUDIT}"
        " where event = 'finished' order by export_audit_id desc limit 1"
    )
    with connect_as(session.warehouse.etl_url) as connection:
        for event, reason in (("failed", "it never was"), ("refused", "it never was"), ("started", None)):
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute(copy, [event, reason])
        with pytest.raises(psycopg.errors.CheckViolation):  # a finished one without size and hash
            connection.execute(copy, ["finished", None])


def test_forged_lines_in_the_audit_are_escaped(session: ExportSession) -> None:
    forged = "x\n2026-01-01 00:00:00  finished  cases of sample-stores\x1b[2J\r\u202e\u2028"
    for option in ("organization", "user", "output", "name", "file_format"):
        request = {"name": "tasks", "organization": HOSPITAL, "output": "x"} | {option: forged}
        session.refusal(request.pop("name"), **request)
    shown = CliRunner().invoke(commands, ["exports", "audit", "--limit", "5"], color=True).stdout
    assert shown.count("x\\n2026-01-01 00:00:00  finished  cases of sample-stores\\x1b[2J\\r\\u202e\\u2028") >= 5
    lines = shown.split("\n")
    # The header, an attempt on one line each, and how many older ones are left out, if any.
    assert [line for line in lines[6:] if not re.fullmatch(r"(  and \d+ more; --limit \d+ shows all)?", line)] == []
    assert all(line.isprintable() for line in lines)
    assert [line.split()[2] for line in lines[1:6]] == ["refused"] * 5


def test_a_role_that_is_renamed_keeps_its_name_in_the_audit(
    own_session: ExportSession, postgres: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = own_session
    session.warehouse.execute("create role passing login in role orgo_insights_etl")
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", postgres.url(session.warehouse.name, "passing"))
    try:
        replace(session, settings=replace(session.settings)).export("tasks")
        session.warehouse.execute("alter role passing rename to innocent")
        users = session.warehouse.rows(f"select distinct database_user from {AUDIT}")
        assert users == [("passing",)]
    finally:
        session.warehouse.execute("drop role if exists innocent; drop role if exists passing")
