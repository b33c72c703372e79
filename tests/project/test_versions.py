"""A model with versions is refused: its versions would share their name in the log of loads (decision D280)."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import in_process
from support.warehouse import Warehouse

from orchestration.errors import MisconfiguredError
from orchestration.manifest import write_manifest

pytestmark = pytest.mark.services


@pytest.fixture
def versioned(prepared: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Return a prepared database, while dbt takes `dim_dates` for version 2 of a model."""
    settings, model = prepared.settings, "model.orgo_insights.dim_dates"
    manifest = in_process.parsed(settings.environment, settings.insights.warehouse.schema_name)
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]
    monkeypatch.setattr(manifest.nodes[model], "version", 2)
    monkeypatch.setitem(manifest.flat_graph["nodes"][model], "version", 2)  # what macros read
    return prepared


def test_no_manifest_is_made(versioned: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    with pytest.raises(MisconfiguredError) as caught:
        write_manifest(versioned.settings)
    assert "_models.yml: the model dim_dates has versions. " in str(caught.value)
    assert "Make version 2 a model of its own, such as dim_dates_v2" in str(caught.value)
    assert not (tmp_path / "parsed" / "manifest.json").exists()


def test_no_load_begins(versioned: Warehouse) -> None:
    loads = "select count(*) from insights_ops.load_log"
    before = versioned.value(loads)
    run = versioned.build("--select", "dim_organizations", command="run")
    assert not run.succeeded
    assert "The model dim_dates has versions, which share its name in the log of loads" in run.output
    assert versioned.value(loads) == before
