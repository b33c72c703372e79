"""Copies of the operational tables in a file of DuckDB, and what they must be equal to: the files of a snapshot."""

# ruff: noqa: S608 -- every statement is made of names of the contract

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from psycopg.conninfo import conninfo_to_dict
from support.warehouse import Warehouse

from orchestration.config.files import Settings, load_settings
from orchestration.replication import replicate as module
from orchestration.replication.replicate import Report, Wanted, replicate
from orchestration.source_snapshot import queries
from orchestration.source_snapshot.description import table_file
from orchestration.source_snapshot.queries import table_selects
from orchestration.source_snapshot.take import Wanted as OfSnapshot
from orchestration.source_snapshot.take import take_snapshot
from orchestration.warehouse.contract import ContractTable, contract_tables

TABLES = contract_tables()
NAMES = [table.name for table in TABLES]
_SELECTS: dict[str, str] = {}


@dataclass(frozen=True)
class Copied:
    """A database with operational tables, and the file to which they are copied.

    `asks_dbt` is for a source whose columns are not those of the sample: dbt needs seconds to write its queries.
    """

    source: Warehouse
    file: Path
    asks_dbt: bool = False

    @property
    def url(self) -> str:
        """Return what `--to` takes."""
        return f"duckdb://{self.file}"

    def settings(self) -> Settings:
        """Return the settings that lead to the source."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("INSIGHTS_WAREHOUSE_URL", self.source.etl_url)
            settings = load_settings()
            assert settings.postgres_url == self.source.etl_url  # read now, while the variable is set
        return settings

    def selects(self) -> dict[str, str]:
        """Return what dbt has written for the tables of the source, by name; they have the columns of the sample."""
        return _selects_of_the_sample(self.source.settings, self.source.etl_url, TABLES)

    def replicate(self, **wanted: Any) -> Report:
        """Bring the copy up to date."""
        with self._queries_known():
            return replicate(self.settings(), Wanted(self.url, work_dir=self.file.with_name("work"), **wanted))

    @contextmanager
    def _queries_known(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            if not self.asks_dbt:
                patch.setattr(module, "table_selects", _selects_of_the_sample)
                patch.setattr(queries, "table_selects", _selects_of_the_sample)
            yield

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the copy."""
        with duckdb.connect(str(self.file), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(query).fetchall()

    def contents(self, table: ContractTable) -> Counter[tuple[Any, ...]]:
        """Return the rows of a table of the copy, as `snapshot_rows` does."""
        return Counter(self.rows(f"select {_columns(table, 'cast({} as varchar[])')} from public.{table.name}"))

    def snapshot_rows(self, folder: Path) -> dict[str, Counter[tuple[Any, ...]]]:
        """Take a snapshot of the source to a folder, and return its rows by table."""
        with self._queries_known():
            take_snapshot(self.settings(), folder, OfSnapshot())
        found = {}
        for table in TABLES:
            query = f"select {_columns(table, '{}')} from read_parquet('{folder / table_file(table.name)}')"
            with duckdb.connect() as connection:
                connection.execute("set TimeZone = 'UTC'")
                found[table.name] = Counter(connection.execute(query).fetchall())
        return found

    def assert_equal_to_a_snapshot(self, folder: Path) -> None:
        """Compare each table of the copy with a snapshot that is taken now."""
        expected = self.snapshot_rows(folder)
        for table in TABLES:
            found = self.contents(table)
            assert found == expected[table.name], table.name


def _selects_of_the_sample(settings: Settings, url: str, tables: tuple[ContractTable, ...]) -> dict[str, str]:
    """Return what dbt has written for the first of the sources that have the columns of the sample, of another one."""
    name = conninfo_to_dict(url)["dbname"]
    if not _SELECTS:
        selects = table_selects(settings, url, tables)
        _SELECTS.update({table: select.replace(f'"{name}".', "") for table, select in selects.items()})
    return {table: select.replace('"public".', f'"{name}"."public".') for table, select in _SELECTS.items()}


def by_table(report: Report) -> dict[str, tuple[int, int, int, int]]:
    """Return {table: rows read, written, before and after} of a replication."""
    return {one.table: (one.rows_read, one.rows_written, one.rows_before, one.rows_after) for one in report.tables}


def _columns(table: ContractTable, array: str) -> str:
    """Return the columns as texts that mean the same in both places; each array as the text of one."""
    written = {
        "text[]": f"cast({array} as varchar)",
        "timestamp with time zone": "case when isfinite({0}) then epoch_us({0})::varchar else {0}::varchar end",
    }
    return ", ".join(written.get(column.data_type, "{}").format(f'"{name}"') for name, column in table.columns.items())
