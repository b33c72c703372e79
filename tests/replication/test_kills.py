"""A replication that is killed while it loads leaves whole tables, and the next one brings the copy up to date."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import saved_parse
from support.replication.copies import TABLES, Copied
from support.warehouse import Warehouse

from orchestration.cli.entry import INTERRUPTED
from orchestration.config.files import PROJECT

pytestmark = pytest.mark.services

CHANGES = """
    update tasks set priority = 'LOW', updated_at = now();
    update cases set severity = 'minor', updated_at = now();
    update user_accounts set status = 'disabled';
    update person_profiles set full_name = 'A B', updated_at = now();
    update learning_group_memberships set role = 'guest', left_at = '2026-01-01';
    update task_comments set updated_at = now();
    delete from task_assignments where id in (select id from task_assignments order by id limit 50);
"""
LOADS = "select count(*) from public._dlt_loads where status = 0"


def signaled(copied: Copied, name: str, merge: int, *, asks_dbt: bool = False) -> int:
    """Run `insights replicate` in a process that gets a signal at the beginning of a merge; returns its exit code.

    It asks dbt for the queries of the tables, or has them, which spares seconds. One worker: with more, the last merge
    may have begun by then, and what has begun ends before dlt obeys an interrupt.
    """
    selects = json.dumps(None if asks_dbt else copied.selects())
    program = [sys.executable, "-m", "support.replication.killed", name, str(merge), selects]
    command = [*program, "replicate", "--to", copied.url, "--work-dir", str(copied.file.with_name("work"))]
    settings, url = copied.source.settings, copied.source.etl_url
    if asks_dbt:
        saved_parse.save_for_insights(settings, url)
    environment = os.environ | {
        "INSIGHTS_WAREHOUSE_URL": url,
        "LOAD__WORKERS": "1",
        "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}",
    }
    return subprocess.run(command, env=environment, check=False).returncode


def test_a_killed_load_leaves_each_table_before_or_after_it(source: Warehouse, tmp_path: Path) -> None:
    copied = Copied(source, tmp_path / "orgo.duckdb")
    assert signaled(copied, "SIGKILL", 3) == -signal.SIGKILL
    work = tmp_path / "work" / "pipelines"
    assert list(work.rglob("*.parquet"))  # in a folder that only this user reads
    assert copied.rows(LOADS) == [(0,)]

    copied.replicate()
    assert not work.exists()
    copied.assert_equal_to_a_snapshot(tmp_path / "first")
    assert copied.rows(LOADS) == [(1,)]

    before = copied.snapshot_rows(tmp_path / "before")
    source.execute(CHANGES)
    after = copied.snapshot_rows(tmp_path / "after")
    changed = {table.name for table in TABLES if before[table.name] != after[table.name]}
    assert len(changed) == 7
    assert signaled(copied, "SIGKILL", 9) == -signal.SIGKILL
    found = {table.name: copied.contents(table) for table in TABLES}
    assert all(found[name] in (before[name], after[name]) for name in found)
    is_new = {found[name] == after[name] for name in changed}
    assert is_new == {True, False}
    assert copied.rows(LOADS) == [(1,)]

    report = copied.replicate()
    assert copied.rows(LOADS) == [(2,)]
    copied.assert_equal_to_a_snapshot(tmp_path / "last")
    assert {one.table for one in report.tables if one.rows_read} >= changed
    events = source.rows("select event, count(*) from insights_ops.export_audit where format = 'duckdb' group by 1")
    assert dict(events) == {"started": 4, "finished": 2}


def test_an_interrupted_load_says_so_and_leaves_no_files(source: Warehouse, tmp_path: Path) -> None:
    copied = Copied(source, tmp_path / "orgo.duckdb")
    assert signaled(copied, "SIGINT", 3, asks_dbt=True) == INTERRUPTED
    assert list((tmp_path / "work").iterdir()) == []
    assert copied.rows("select schema_name from duckdb_schemas() where schema_name like '%insights_replicate%'") == []
    assert copied.rows(LOADS) == [(0,)]
    events = source.rows("select event, reason from insights_ops.export_audit order by export_audit_id")
    assert [event for event, _ in events] == ["started", "failed"]
    copied.replicate()
    copied.assert_equal_to_a_snapshot(tmp_path / "snapshot")
