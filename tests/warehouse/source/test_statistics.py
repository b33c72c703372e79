"""A source that was restored or filled a moment ago has no statistics, and PostgreSQL plans without them."""

from __future__ import annotations

from datetime import date

import pytest
from support.small_scenario import NEXT_DAY
from support.warehouse import NO_TESTS, Warehouse

from orchestration.warehouse.connection import connect
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.init import initialize
from workshop.sample.load import SAMPLE_AS_OF

pytestmark = pytest.mark.services

TABLES = [table.name for table in contract_tables()]


def forget_statistics(warehouse: Warehouse) -> None:
    """Put the operational tables into the state after a restore."""
    warehouse.execute(
        "delete from pg_statistic where starelid in"
        " (select oid from pg_class where relnamespace = 'public'::regnamespace);"
        "update pg_class set reltuples = -1 where relnamespace = 'public'::regnamespace and relkind = 'r'"
    )


def test_init_analyzes_the_tables_that_have_none(prepared: Warehouse) -> None:
    forget_statistics(prepared)
    prepared.execute("analyze cases")
    analyzed = "select last_analyze from pg_stat_all_tables where relid = 'public.cases'::regclass"
    before = prepared.value(analyzed)
    assert before is not None
    with connect(prepared.admin_url) as connection:
        initialize(connection, prepared.settings)
    lacking = "select count(*) from pg_class where oid = any(%s::regclass[]) and reltuples < 0"
    assert prepared.value(lacking, [f"public.{table}" for table in TABLES]) == 0
    assert prepared.value(analyzed) == before


def loads_without_nested_loops(warehouse: Warehouse, as_of: date) -> bool:
    """Load cases and return whether a session of this database switched nested loops off."""
    log = warehouse.postgres.socket_dir / "log"
    warehouse.execute(f"alter role orgo_insights_etl in database {warehouse.name} set log_statement = 'all'")
    start = log.stat().st_size
    result = warehouse.build("--select", "+int_case_lifecycle", *NO_TESTS, as_of=as_of)
    assert result.succeeded, result.output
    statements = log.read_bytes()[start:].decode("utf-8", "replace").split(" UTC [")
    assert any("int_case_lifecycle__dbt_tmp" in s for s in statements if f"] {warehouse.name} LOG:" in s)
    return any("set local enable_nestloop = off" in s for s in statements if f"] {warehouse.name} LOG:" in s)


def test_only_a_first_load_is_kept_from_nested_loops(prepared: Warehouse, built: Warehouse) -> None:
    assert loads_without_nested_loops(prepared, SAMPLE_AS_OF)
    assert not loads_without_nested_loops(built, NEXT_DAY)
