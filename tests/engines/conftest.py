"""Fixtures of the tests of `insights publish`: the sample in PostgreSQL, and in a file of DuckDB with its database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.engines.laptop import Laptop
from support.engines.published import Served, prepared_database, take_and_build
from support.exports.exporting import KEY
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services import LocalPostgres


@pytest.fixture(scope="session")
def warehouse(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Iterator[Warehouse]:
    """Yield the sample in PostgreSQL, from whose source the file is built; it knows the key of the masks. Read it."""
    with disposable_copy(built_sample, "published_source", postgres, settings) as warehouse:
        with pytest.MonkeyPatch.context() as patch, connect(warehouse.admin_url) as connection:
            patch.setenv("INSIGHTS_EXPORT_KEY", KEY)
            initialize(connection, settings)
        yield warehouse


@pytest.fixture(scope="session")
def served(postgres: LocalPostgres, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Yield the sample in a file of DuckDB, published once. Read both."""
    laptop = Laptop(tmp_path_factory.mktemp("published"))
    take_and_build(laptop, warehouse)
    with prepared_database("serving", postgres, laptop.settings()) as database:
        served = Served(laptop, database)
        report = served.publish()
        assert (report.number, report.whose, report.emptied) == (1, "all organizations", [])
        assert {one.name: one.rows for one in report.relations if one.rows != one.written} == {}
        yield served
