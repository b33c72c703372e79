"""`insights replicate` keeps a copy of the operational tables in another engine equal to the source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hostile.rows import hostile_rows, insertions, relaxed_schema
from support.replication.copies import Copied
from support.warehouse import disposable_copy

from orchestration.config.files import Settings
from orchestration.replication.replicate import Report
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

FIRST: list[Report] = []


@pytest.fixture(scope="module")
def copied(
    postgres: LocalPostgres, settings: Settings, prepared_sample: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copied]:
    """Yield the sample with a row of each kind of value, copied once; no test changes it."""
    with disposable_copy(prepared_sample, "replicated", postgres, settings) as warehouse:
        warehouse.execute(relaxed_schema() + "alter table wellbeing_checkins add column case_id uuid;")
        warehouse.execute("".join(insertions(hostile_rows())))
        with connect(warehouse.admin_url) as connection:
            initialize(connection, settings)  # grants the new columns
        copied = Copied(warehouse, tmp_path_factory.mktemp("copy") / "orgo.duckdb")
        FIRST.append(copied.replicate())
        yield copied


def test_every_value_of_the_source_is_in_the_copy_as_in_a_snapshot(copied: Copied, tmp_path: Path) -> None:
    copied.assert_equal_to_a_snapshot(tmp_path / "snapshot")
