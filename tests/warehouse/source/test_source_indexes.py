"""A load looks up the rows that have changed in the indexes that it leans on (decision D301)."""

from __future__ import annotations

import pytest
from support.warehouse import NO_TESTS, Warehouse

pytestmark = pytest.mark.services

# Each reads the changed tasks once, and the first of them the changed comments.
READERS = ("int_task_lifecycle", "int_case_lifecycle", "rejects")
TABLES = ("tasks", "task_comments")


def _rows_read_in_sequence(warehouse: Warehouse, table: str) -> int:
    """Return how many rows of an operational table have been read without an index by sessions that have ended."""
    warehouse.wait_for("select count(*) = 1 from pg_stat_activity where datname = current_database()")
    return int(warehouse.value("select seq_tup_read from pg_stat_user_tables where relname = %s", table))


def _reads_of_a_load(warehouse: Warehouse) -> list[int]:
    """Load, and return how often all rows of each table were read in sequence."""
    before = [_rows_read_in_sequence(warehouse, table) for table in TABLES]
    assert warehouse.build("--select", *READERS, *NO_TESTS).succeeded
    after = [_rows_read_in_sequence(warehouse, table) for table in TABLES]
    rows = [warehouse.value(f"select count(*) from {table}") for table in TABLES]  # noqa: S608 - our tables
    return [round((new - old) / count) for new, old, count in zip(after, before, rows, strict=True)]


def test_a_load_does_not_read_all_tasks_to_find_those_that_changed(built: Warehouse) -> None:
    built.execute("analyze tasks; analyze task_comments")
    with_indexes = _reads_of_a_load(built)
    built.execute("drop index tasks_changed_at; drop index task_comments_changed_at")
    without = _reads_of_a_load(built)
    assert [more - less for more, less in zip(without, with_indexes, strict=True)] == [3, 1]
