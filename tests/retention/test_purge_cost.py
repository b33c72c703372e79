"""What a purge reads follows the leaving rows and the size of the table, not the number of batches (decision D201)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from support.retention.purging import rows_by_relation, run_purge
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.retention.plan import Retained

pytest_plugins = ["support.retention.purging"]
pytestmark = pytest.mark.services

# Pages of the table itself that sessions which have ended read, from the cache or not.
READ = "select heap_blks_hit + heap_blks_read from pg_statio_user_tables where relid = 'insights.fact_tasks'::regclass"
PAGES = "select pg_relation_size('insights.fact_tasks') / current_setting('block_size')::integer"


def test_many_batches_read_a_table_as_often_as_one(built: Warehouse, settings: Settings, plan: list[Retained]) -> None:
    # With what goes with ten tasks, a batch is below 100 rows: one above is deleted twice (decision D216).
    etl = settings.insights.etl.model_copy(update={"default_batch_size": 10, "max_batch_size": 100})
    small = replace(settings, insights=settings.insights.model_copy(update={"etl": etl}))
    pages, before = built.value(PAGES), built.value(READ)
    deleted = rows_by_relation(run_purge(built, small, plan, date(2026, 7, 1)))["fact_tasks"]
    read = built.value(READ) - before
    assert deleted > 30 * 10
    # One scan to find the batches, one to delete them; a deleted row is looked at once more. Autovacuum and the view
    # of persons that are still needed may each scan the table again.
    assert read < 5 * pages + 4 * deleted
    assert 5 * pages + 4 * deleted < deleted / 10 * pages
