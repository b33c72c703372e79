"""The lists of relations that other tests compare follow from the manifest."""

from __future__ import annotations

from support.contents import incremental, rebuilt, reports, reviews
from support.policy import manifest

from orchestration.flows import DIMENSIONS, FACTS
from orchestration.manifest import marts


def test_every_mart_is_in_one_list() -> None:
    listed = [*incremental(), *rebuilt(), *reports(), *reviews()]
    assert sorted(listed) == sorted([*(f"insights.{name}" for name in marts(manifest())), "insights_ops.rejects"])


def test_the_daily_loads_build_the_star_schema() -> None:
    built = [name for load in (FACTS, DIMENSIONS) for name in marts(manifest(), dag=load.dag, folder=load.folder)]
    assert {f"insights.{name}" for name in built} == {*incremental(), *rebuilt()} - {"insights_ops.rejects"}
    assert len(built) == len(set(built))
