"""What dbt knows of a database is found as dbt finds it (decision D276)."""

from __future__ import annotations

from typing import Any

import pytest
from dbt.adapters import cache
from dbt.adapters.postgres.relation import PostgresRelation
from dbt_common.clients import agate_helper
from support.in_process import read_again

NAMES = [
    ("orgo", "insights", "dim_dates"),
    ("orgo", "insights", "fact_tasks"),
    ("orgo", "Other", "Dim_Dates"),
    ("ORGO", "ops", "x"),
]


def filled(module: Any) -> Any:
    """Return a cache of relations, one of which was renamed and one dropped."""
    known = module.RelationsCache()
    for database, schema, name in [*NAMES, ("orgo", "insights", "old"), ("orgo", "insights", "gone")]:
        known.add(PostgresRelation.create(database=database, schema=schema, identifier=name))
    known.rename(
        *(PostgresRelation.create(database="orgo", schema="insights", identifier=name) for name in ("old", "New"))
    )
    known.drop(PostgresRelation.create(database="orgo", schema="insights", identifier="gone"))
    return known


@pytest.mark.parametrize("schema", ["insights", "INSIGHTS", "other", "ops", "absent", None])
@pytest.mark.parametrize("database", ["orgo", "Orgo", "absent", None])
def test_the_relations_of_a_schema_are_those_that_dbt_finds(database: str | None, schema: str | None) -> None:
    ours, theirs = (
        sorted(relation.render() for relation in filled(module).get_relations(database, schema))
        for module in (cache, read_again(cache))
    )
    assert ours == theirs
    assert len(ours) == {"insights": 3, "other": 1, "ops": 1}.get((schema or "").lower(), 0) * (
        str(database).lower() == "orgo"
    )


def test_the_empty_table_has_neither_rows_nor_columns() -> None:
    for _ in range(2):
        empty = agate_helper.empty_table()  # type: ignore[no-untyped-call]
        assert (len(empty.rows), empty.column_names) == (0, ())
