"""Exports that are refused or break off leave no file and are recorded; the commands that export."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support.exports.exported_rows import ROWS, sorted_rows
from support.exports.exporting import (
    AGGREGATES,
    CLUB,
    FROM,
    HOSPITAL,
    STORES,
    TO,
    ExportSession,
    key_id,
    read,
)
from support.warehouse import Warehouse

from orchestration.config.files import Settings, check
from orchestration.errors import InsightsError
from orchestration.exports.run import run_export

pytest_plugins = ["support.exports.export_sessions"]

# What is refused, and what the audit says


@pytest.mark.services
@pytest.mark.parametrize("name", ["tasks", "monthly_task_totals"])
def test_the_row_limit_is_exact(session: ExportSession, name: str) -> None:
    rows = session.export(name).rows
    assert session.changed(max_rows_per_export=rows).export(name).rows == rows
    assert f"more than {rows - 1:,} rows" in session.changed(max_rows_per_export=rows - 1).refusal(name)
    # The one that was too large never began.
    assert session.audit()[-3:] == ["started", "finished", "refused"]


@pytest.mark.services
@pytest.mark.parametrize(
    ("name", "other", "says"),
    [
        ("persons", {}, "There is no export persons. There are: cases, monthly_"),
        ("tasks", {"file_format": "xls"}, "The format is xls; it must be one of csv, csv.gz, jsonl, parquet, xlsx."),
        ("tasks", {"since": TO, "until": TO}, "must be before --to 2026-01-01"),
        ("tasks", {"organization": "missing"}, "There is no organization 'missing'"),
        ("tasks", {"user": "11111111-1111-1111-1111-111111111111"}, "has no active user 11111111"),
        ("tasks", {"output": "../x"}, "is not a valid name"),
        ("monthly_task_totals", {"since": date(2025, 1, 2)}, "--from and --to must be first days of months"),
        ("monthly_task_totals", {"until": date(2025, 12, 31)}, "--from and --to must be first days of months"),
    ],
)
def test_a_try_that_may_not_be_is_refused_and_recorded(
    session: ExportSession, name: str, other: dict[str, Any], says: str
) -> None:
    assert says in session.refusal(name, **other)
    query = (
        "select export_name, format, organization, requested_by, reason, sha256, environment, config_version,"
        " database_user, now() - logged_at < interval '1 minute'"
        " from insights_ops.export_audit order by export_audit_id desc limit 1"
    )
    row = session.warehouse.rows(query)[0]
    asked = {"file_format": "csv", "organization": HOSPITAL, "user": session.user()} | other
    assert row[:4] == (name, asked["file_format"], asked["organization"], asked["user"])
    assert says in row[4]
    assert row[5:] == (None, "dev", "3.0", "orgo_insights_etl", True)


@pytest.mark.services
def test_an_export_that_breaks_off_leaves_nothing_and_is_recorded(session: ExportSession) -> None:
    def give_up(done: int, rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_export(session.settings, session.definitions, session.request("tasks"), give_up)
    assert session.files() == []
    assert session.audit()[-2:] == ["started", "failed"]


@pytest.mark.services
def test_the_counted_rows_are_exported_despite_concurrent_changes(own_session: ExportSession) -> None:
    before = sorted_rows(own_session.rows("tasks"))
    own_session.warehouse.execute("""
        create function insights_ops.meddle() returns trigger language plpgsql security definer as $$
        begin
            delete from insights.fact_tasks where visibility = 'INTERNAL';
            return new;
        end $$;
        create trigger meddle before insert on insights_ops.export_audit
        for each row when (new.event = 'started') execute function insights_ops.meddle();
    """)
    assert sorted_rows(own_session.rows("tasks")) == before
    assert len(own_session.rows("tasks")) < len(before)


@pytest.mark.services
def test_a_name_that_is_taken_is_refused(session: ExportSession) -> None:
    first = session.export("tasks", output="once")
    before = Path(first.location).read_bytes()
    assert "once.csv" in session.refusal("cases", output="once")
    assert Path(first.location).read_bytes() == before


@pytest.mark.services
def test_nothing_is_exported_without_an_entry_in_the_audit(prepared: Warehouse, own_session: ExportSession) -> None:
    own_session.warehouse.execute("drop table insights_ops.export_audit")
    with pytest.raises(InsightsError, match=r"no audit of exports, or that .* Run: insights init"):
        own_session.export("tasks")
    assert own_session.files() == []


@pytest.mark.services
def test_a_warehouse_that_was_never_built_says_so(
    prepared: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ExportSession.at(prepared, tmp_path / "exports", monkeypatch)
    assert "Nothing has been built here yet" in session.refusal("tasks")


def test_offline_exports_nothing_until_it_is_enabled(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", "postgresql://reader@/nowhere?host=/nonexistent")
    offline = ExportSession(Warehouse("", None, settings), replace(settings, environment="offline"), tmp_path, {})  # type: ignore[arg-type]
    request = ExportSession.request(offline, "tasks", user="x")
    with pytest.raises(InsightsError, match=r"Exports are disabled in offline\. .* insights\.offline\.enabled"):
        run_export(offline.settings, {}, request)


@pytest.mark.parametrize("key", ["short", "x" * 31])
def test_a_short_key_is_a_mistake_of_the_configuration(key: str) -> None:
    found = [str(p) for p in check(environ={"INSIGHTS_EXPORT_KEY": key}).problems if p.key == "INSIGHTS_EXPORT_KEY"]
    assert len(found) == 1
    assert "at least 32 bytes" in found[0]
    assert key not in found[0]


# The command line


def _insights(*arguments: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from orchestration.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)


@pytest.mark.services
def test_the_commands(session: ExportSession) -> None:
    arguments = ["export", "cases", "--org", HOSPITAL, "--from", "2025-01-01", "--to", "2026-01-01"]
    done = _insights(*arguments, "--user", session.user(), "--output", "by_hand")
    assert done.returncode == 0, done.stderr
    rows = read(session.folder / "by_hand.csv")
    assert done.stdout.startswith(f"{session.folder / 'by_hand.csv'}: {len(rows)} rows, ")
    masks, warning = done.stderr.splitlines()
    assert masks == f"Masked: source_keys (hmac-sha256), title (redacted) (key {key_id()})"
    assert "INSIGHTS_EXPORT_WAREHOUSE_URL" in warning  # the session exports as the role that loads
    refused = _insights(*arguments, "--user", session.user(STORES), "--output", "by_hand_2")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: The organization has no active user")
    audit = _insights("exports", "audit", "--limit", "2").stdout.splitlines()
    assert [line.split()[2] for line in audit[1:3]] == ["refused", "finished"]
    listed = _insights("exports", "list").stdout
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [*sorted(AGGREGATES), *sorted(ROWS)]


@pytest.mark.services
def test_a_terminal_sees_a_bar(session: ExportSession) -> None:
    master, slave = pty.openpty()
    arguments = ["export", "tasks", "--org", CLUB, "--from", str(FROM), "--to", str(TO), "--output", "seen"]
    command = [sys.executable, "-c", "from orchestration.cli import main; main()", *arguments]
    process = subprocess.Popen([*command, "--user", session.user(CLUB)], stderr=slave, stdout=subprocess.DEVNULL)
    os.close(slave)
    seen = b""
    while process.poll() is None or b"100%" not in seen:
        try:
            seen += os.read(master, 4096)
        except OSError:  # the other end is closed
            break
    os.close(master)
    assert process.wait() == 0
    rows = len(read(session.folder / "seen.csv"))
    assert f"{rows}/{rows}".encode() in seen
