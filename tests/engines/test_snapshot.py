"""`insights snapshot` writes the operational tables as they are, completely or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings, load_settings
from orchestration.source_snapshot.description import Description
from orchestration.source_snapshot.take import Wanted, take_snapshot
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.duckdb.prepare import prepare
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services


@dataclass(frozen=True)
class Taken:
    """A snapshot of the sample in a file of DuckDB."""

    source: Warehouse
    folder: Path
    file: Path
    description: Description


@pytest.fixture(scope="module")
def taken(
    postgres: LocalPostgres, settings: Settings, prepared_sample: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Taken]:
    """Yield the sample as a snapshot, with the database that it was taken from."""
    place = tmp_path_factory.mktemp("snapshot")
    with (
        disposable_copy(prepared_sample, "snapshot_sample", postgres, settings) as source,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("INSIGHTS_WAREHOUSE_URL", source.etl_url)
        here = load_settings()
        folder, file = place / "snapshot", place / "warehouse.duckdb"
        description = take_snapshot(here, folder, Wanted())
        prepare(file, folder, here)
        yield Taken(source, folder, file, description)


def test_a_snapshot_has_every_row_of_the_source(taken: Taken) -> None:
    with duckdb.connect(str(taken.file), read_only=True) as connection:
        for table in contract_tables():
            found = connection.execute(f"select count(*) from public.{table.name}").fetchone()
            assert found == (taken.source.value(f"select count(*) from {table.name}"),), table.name
