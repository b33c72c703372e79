"""The lists of relations that other tests compare follow from the manifest."""

from __future__ import annotations

from support.contents import incremental, rebuilt, reports, reviews
from support.policy import manifest

from orchestration.flows import DIMENSIONS, FACTS
from orchestration.manifest import marts, relations


def test_every_mart_is_in_one_list() -> None:
    listed = [*incremental(), *rebuilt(), *reports(), *reviews()]
    schemas = {name: relation.schema for name, relation in relations(manifest()).items()}
    assert sorted(listed) == sorted(
        [*(f"{schemas[name]}.{name}" for name in marts(manifest())), "insights_ops.rejects"]
    )


def test_the_daily_loads_build_the_star_schema() -> None:
    built = [name for load in (FACTS, DIMENSIONS) for name in marts(manifest(), dag=load.dag, folder=load.folder)]
    star = {name for name in (*incremental(), *rebuilt()) if name.startswith("insights.")}
    assert {f"insights.{name}" for name in built} == star
    assert len(built) == len(set(built))
