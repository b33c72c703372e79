"""A copy that is not what the last `insights replicate` has left: the next one finds it, and reads what it must."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from support.replication.copies import NAMES, TABLES, Copied, by_table
from support.warehouse import Warehouse

from orchestration.errors import ConflictError, FailedError
from orchestration.replication import replicate as module
from orchestration.replication.engine import Copy

pytestmark = pytest.mark.services

WHOLE = {"organization_profiles", "user_accounts", "task_assignments", "entity_labels", "learning_group_memberships"}


@pytest.fixture
def copied(source: Warehouse, tmp_path: Path) -> Copied:
    """Return a part of the sample, copied once."""
    copied = Copied(source, tmp_path / "orgo.duckdb")
    copied.replicate()
    return copied


def read_whole(copied: Copied) -> set[str]:
    """Bring the copy up to date; returns the tables that were read whole, beyond those that always are."""
    return {one.table for one in copied.replicate().tables if one.changed_since is None} - WHOLE


def test_a_table_that_lost_rows_in_the_copy_is_read_whole(copied: Copied, tmp_path: Path) -> None:
    with duckdb.connect(str(copied.file)) as connection:
        connection.execute("delete from public.task_events; drop table public.tasks")
    copied.file.chmod(0o640)
    assert read_whole(copied) == {"task_events", "tasks"}
    assert copied.file.stat().st_mode & 0o777 == 0o640  # its permissions stay
    copied.assert_equal_to_a_snapshot(tmp_path / "snapshot")
    assert read_whole(copied) == set()


def test_a_table_whose_count_has_failed_is_read_whole_the_next_time(
    copied: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = Copy.counts

    def too_few(copy: Copy, tables: list[str], *, are_staged: bool = False) -> dict[str, int]:
        found = counts(copy, tables, are_staged=are_staged)
        return found | ({"tasks": found["tasks"] - 1} if are_staged else {})

    copied.source.execute("update tasks set priority = 'LOW', updated_at = now()")
    with monkeypatch.context() as patch:
        patch.setattr(Copy, "counts", too_few)
        with pytest.raises(
            FailedError, match=r"Of tasks, .* have arrived in .* The next insights replicate reads this"
        ):
            copied.replicate()
    assert read_whole(copied) == {"tasks"}
    assert read_whole(copied) == set()


def test_a_recovered_database_is_compared_whole(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    # A test cannot recover the server that others use: the timeline of the next one is what a recovery would leave.
    assert copied.source.value("select timeline_id from pg_control_checkpoint()") == 1
    monkeypatch.setattr(module, "timeline_of", lambda _: 2)
    with pytest.raises(ConflictError, match=r"is on the timeline 2, and the copy .* of the timeline 1.*--reconcile"):
        copied.replicate()
    assert {one.changed_since for one in copied.replicate(reconcile=True).tables} == {None}
    monkeypatch.setattr(module, "timeline_of", lambda _: None)  # may not be known
    copied.replicate()


def test_a_column_of_another_type_makes_the_table_again(
    copied: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = NAMES.index("wellbeing_checkins")
    table = TABLES[place]
    as_text = replace(table, columns=table.columns | {"score": replace(table.columns["score"], data_type="text")})
    rows = copied.source.value("select count(*) from wellbeing_checkins")
    scores = "select sum(score::int) from {}wellbeing_checkins"
    with monkeypatch.context() as patch:
        patch.setattr(module, "contract_tables", lambda: [*TABLES[:place], as_text, *TABLES[place + 1 :]])
        assert by_table(copied.replicate())["wellbeing_checkins"] == (rows, rows, rows, rows)
        assert copied.rows("select distinct typeof(score) from public.wellbeing_checkins") == [("VARCHAR",)]
        assert copied.rows(scores.format("public.")) == [(copied.source.value(scores.format("")),)]
        assert read_whole(copied) == set()
    assert read_whole(copied) == {"wellbeing_checkins"}
    assert copied.rows("select distinct typeof(score) from public.wellbeing_checkins") == [("INTEGER",)]
    copied.assert_equal_to_a_snapshot(tmp_path / "snapshot")
