"""The rows of operational tables as texts, in PostgreSQL and in a file of DuckDB, each written by its own engine."""

# ruff: noqa: S608 -- every statement is made of names of the contract

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
from support.warehouse import Warehouse

from orchestration.warehouse.contract import ContractTable

Rows = Counter[tuple[Any, ...]]
# How each engine writes a value as a text that means the same; other types are texts already.
POSTGRES = {
    # 292,277 years after 1970, all times are one in DuckDB.
    "timestamp with time zone": "case when {0} = '-infinity' then '-infinity' when {0} >= '294247-01-01 00:00+00'"
    " then 'infinity' else trim_scale(extract(epoch from {0}) * 1000000)::text end",
    "interval": "trim_scale(extract(year from {0}) * 12 + extract(month from {0}))::text || ' '"
    " || extract(day from {0})::text || ' ' || trim_scale((extract(hour from {0}) * 60 + extract(minute from {0}))"
    " * 60000000 + extract(microsecond from {0}))::text",
    "text[]": "case when {0} is not null then array(select unnest({0})) end",
}
# Orgo keeps the location of a case as text, which is not always JSON.
LOCATION = "coalesce(insights_ops.try_cast({0}, null::jsonb), to_jsonb({0}))::text"
DUCKDB = {
    "timestamp with time zone": "case when isfinite({0}) then epoch_us({0})::varchar else {0}::varchar end",
    "interval": "(datepart('year', {0}) * 12 + datepart('month', {0}))::varchar || ' ' || datepart('day', {0})::varchar"
    " || ' ' || ((datepart('hour', {0}) * 60 + datepart('minute', {0})) * 60000000"
    " + datepart('microsecond', {0}))::varchar",
    "text[]": "{0}",
}


def source_rows(source: Warehouse, table: ContractTable, condition: str = "true") -> Rows:
    """Return the rows of an operational table whose columns all have the types of the contract, or are enums."""
    query = _select(table, POSTGRES, "text", table.name, condition)
    if table.name == "cases":
        query = query.replace("cast(t.location as text)", LOCATION.format("t.location"))
    return _counted(source.rows(query))


def file_rows(file: Path, table: ContractTable) -> Rows:
    """Return the rows of the view of an operational table."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return _counted(connection.execute(_select(table, DUCKDB, "varchar", f"public.{table.name}")).fetchall())


def _counted(rows: list[tuple[Any, ...]]) -> Rows:
    return Counter(tuple(tuple(value) if isinstance(value, list) else value for value in row) for row in rows)


def _select(table: ContractTable, written: dict[str, str], text: str, relation: str, condition: str = "true") -> str:
    columns = [
        written.get(column.data_type, f"cast({{0}} as {text})").format(f"t.{name}")
        for name, column in table.columns.items()
    ]
    return f"select {', '.join(columns)} from {relation} as t where {condition}"
