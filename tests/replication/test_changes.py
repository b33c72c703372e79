"""What a later `insights replicate` reads, writes and deletes."""


# ruff: noqa: S608 -- statements are made of literals

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.replication.copies import NAMES, Copied, by_table
from support.warehouse import Warehouse

from orchestration.errors import RefusedError
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize

pytestmark = pytest.mark.services

# Those without a time of changes or an id, worked out from the contract by hand.
WHOLE = {"organization_profiles", "user_accounts", "task_assignments", "entity_labels", "learning_group_memberships"}
TASK = "select min(id::text)::uuid from tasks"
OTHER = "select max(id::text)::uuid from tasks"


@pytest.fixture
def copied(source: Warehouse, tmp_path: Path) -> Copied:
    """Return the sample, which the test may change, copied once."""
    copied = Copied(source, tmp_path / "orgo.duckdb")
    first = by_table(copied.replicate())
    assert list(first) == NAMES
    for table, (read, written, before, after) in first.items():
        assert (read, written, before, after) == (source.value(f"select count(*) from {table}"),) * 2 + (0, read)
    return copied


def test_a_later_run_reads_what_has_changed_and_writes_only_that(copied: Copied, tmp_path: Path) -> None:
    unchanged = copied.replicate()
    assert {one.table for one in unchanged.tables if one.changed_since is None} == WHOLE
    assert {one.table for one in unchanged.tables if one.rows_read} == WHOLE
    copied.assert_equal_to_a_snapshot(tmp_path / "unchanged")

    copied.source.execute(f"""
        update tasks set status = 'CANCELLED', updated_at = now() where id = ({TASK});
        update tasks set type = 'late', updated_at = now() - interval '5 hours 50 minutes' where id = ({OTHER});
        insert into task_events (id, task_id, organization_id, event_type, origin, created_at)
            select gen_random_uuid(), id, organization_id, 'status_changed', 'ui', now() from tasks where id = ({TASK});
        update user_accounts set status = 'disabled' where id = (select min(id::text)::uuid from user_accounts);
        update learning_group_memberships set left_at = '2026-01-01' where left_at is null;
    """)
    changed = copied.replicate()
    overlap = {one.moment - one.tables[NAMES.index("tasks")].changed_since for one in [changed]}  # type: ignore[operator]
    assert timedelta(hours=6) < overlap.pop() < timedelta(hours=6, minutes=10)
    assert {one.table: one.rows_read for one in changed.tables if one.table not in WHOLE and one.rows_read} == {
        "tasks": 2,
        "task_events": 1,
    }
    copied.assert_equal_to_a_snapshot(tmp_path / "changed")


def test_a_row_later_than_the_overlap_and_deleted_rows_wait_for_a_comparison(copied: Copied, tmp_path: Path) -> None:
    copied.source.execute(f"""
        update tasks set type = 'very late', updated_at = now() - interval '7 hours' where id = ({OTHER});
        delete from task_comments where id in (select id from task_comments order by id limit 10);
        delete from entity_labels where id = (select min(id::text)::uuid from entity_labels);
    """)
    comments = copied.source.value("select count(*) from task_comments")
    later = by_table(copied.replicate())
    assert later["task_comments"] == (0, 0, comments + 10, comments + 10)
    assert later["entity_labels"][3] == later["entity_labels"][2] - 1  # read whole each time
    assert copied.rows("select count(*) from public.tasks where type = 'very late'") == [(0,)]

    compared = by_table(copied.replicate(reconcile=True))
    assert compared["task_comments"] == (comments, comments, comments + 10, comments)
    assert copied.rows("select count(*) from public.tasks where type = 'very late'") == [(1,)]
    copied.assert_equal_to_a_snapshot(tmp_path / "snapshot")


def test_many_vanished_rows_are_deleted_only_when_confirmed(copied: Copied, tmp_path: Path) -> None:
    before = copied.rows("select count(*) from public.task_comments")
    copied.source.execute("delete from task_comments where get_byte(decode(md5(id::text), 'hex'), 0) < 128")
    copied.replicate()  # reads no deletions
    said = r"vanished from: task_comments \(the copy has \d+, the source \d+\)\. Nothing was written.*--accept-vanished"
    with pytest.raises(RefusedError, match=said):
        copied.replicate(reconcile=True)
    assert copied.rows("select count(*) from public.task_comments") == before
    copied.source.execute("delete from entity_labels")
    with pytest.raises(RefusedError, match="vanished from: entity_labels"):
        copied.replicate()
    copied.replicate(reconcile=True, accept_vanished=True)
    assert copied.rows("select count(*) from public.entity_labels") == [(0,)]
    copied.assert_equal_to_a_snapshot(tmp_path / "snapshot")


def test_a_table_that_is_read_by_another_rule_is_copied_again(copied: Copied, tmp_path: Path) -> None:
    copied.source.execute(
        "alter table roles drop column description; alter table wellbeing_checkins alter column tags type jsonb"
        " using to_jsonb(tags)"
    )
    copied = replace(copied, asks_dbt=True)
    changed = {one.table: one for one in copied.replicate().tables}
    assert {name for name, one in changed.items() if one.changed_since is None} == WHOLE | {
        "roles",
        "wellbeing_checkins",
    }
    assert copied.rows("select count(description) from public.roles") == [(0,)]
    copied.source.execute("alter table roles add column description text default 'what it does'")
    with connect(copied.source.admin_url) as connection:
        initialize(connection, copied.source.settings)  # grants the column
    copied.replicate()
    roles = copied.source.value("select count(*) from roles")
    assert copied.rows("select count(*) from public.roles where description = 'what it does'") == [(roles,)]
    copied.assert_equal_to_a_snapshot(tmp_path / "snapshot")
