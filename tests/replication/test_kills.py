"""A replication that is killed while it loads leaves whole tables, and the next one brings the copy up to date."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import saved_parse
from support.replication.copies import TABLES, Copied
from support.warehouse import Warehouse

from orchestration import dbt
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


def kill_at(copied: Copied, merge: int) -> None:
    """Run `insights replicate` in a process that is killed at the beginning of a merge."""
    command = [sys.executable, "-m", "support.replication.killed", str(merge), "replicate", "--to", copied.url]
    settings, url = copied.source.settings, copied.source.etl_url
    saved_parse.save(dbt.process_environment(settings, url), *dbt.complete(settings, [], {}))
    environment = os.environ | {"INSIGHTS_WAREHOUSE_URL": url, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}"}
    work = str(copied.file.with_name("work"))
    done = subprocess.run([*command, "--work-dir", work], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_killed_load_leaves_each_table_before_or_after_it(prepared: Warehouse, tmp_path: Path) -> None:
    copied = Copied(prepared, tmp_path / "orgo.duckdb")
    kill_at(copied, 3)
    work = tmp_path / "work" / "pipelines"
    assert list(work.rglob("*.parquet"))  # in a folder that only this user reads
    assert copied.rows(LOADS) == [(0,)]

    copied.replicate()
    assert not work.exists()
    copied.assert_equal_to_a_snapshot(tmp_path / "first")
    assert copied.rows(LOADS) == [(1,)]

    before = copied.snapshot_rows(tmp_path / "before")
    prepared.execute(CHANGES)
    after = copied.snapshot_rows(tmp_path / "after")
    changed = {table.name for table in TABLES if before[table.name] != after[table.name]}
    assert len(changed) == 7
    kill_at(copied, 9)
    found = {table.name: copied.contents(table) for table in TABLES}
    assert all(found[name] in (before[name], after[name]) for name in found)
    is_new = {found[name] == after[name] for name in changed}
    assert is_new == {True, False}
    assert copied.rows(LOADS) == [(1,)]

    report = copied.replicate()
    assert copied.rows(LOADS) == [(2,)]
    copied.assert_equal_to_a_snapshot(tmp_path / "last")
    assert {one.table for one in report.tables if one.rows_read} >= changed
    events = prepared.rows("select event, count(*) from insights_ops.export_audit where format = 'duckdb' group by 1")
    assert dict(events) == {"started": 4, "finished": 2}
