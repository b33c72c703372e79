"""No data test compares each row with each other, whatever the planner guesses: it reads a few times what is stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.warehouse import Warehouse

from orchestration.warehouse.connection import connect

pytestmark = pytest.mark.services

STORED = """
    select sum(relpages) from pg_class
    where relkind in ('r', 'i', 'm') and relnamespace::regnamespace::text ~ '^(insights|public)'
"""
# Times of all stored pages: a look into an index for each event reads 20 times as much, and a test that compared all
# tasks of an organization with each of its cases read 300 times as much.
MOST = 30


def test_no_data_test_reads_the_sample_again_and_again(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    tested = built.build("--resource-type", "test")
    assert tested.succeeded, tested.output
    compiled = tmp_path / "compiled/orgo_insights"
    queries = [*compiled.glob("tests/**/*.sql"), *compiled.glob("**/*.yml/*.sql")]
    assert len(queries) > 100
    stored = int(built.value(STORED))
    read = {}
    with connect(built.etl_url) as connection:
        for query in queries:
            explained = "explain (analyze, buffers, format json) " + query.read_text("utf-8")
            ((((plan,),),),) = [connection.execute(explained.encode()).fetchall()]
            read[query.stem] = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    assert {name: pages for name, pages in read.items() if pages > MOST * stored} == {}
