"""Where tests ask for exports; `pytest_plugins` names this module where its fixtures are needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.exports.exporting import ExportSession
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from workshop.services import LocalPostgres


@pytest.fixture(scope="module")
def shared(postgres: LocalPostgres, settings: Settings, built_sample: str, request: pytest.FixtureRequest) -> Warehouse:
    """Return one copy of the built sample for the tests of a module that change nothing but the audit."""
    return Warehouse.copy_of(built_sample, request.module.__name__.removeprefix("test_"), postgres, settings)


@pytest.fixture
def session(shared: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExportSession:
    """Return a session that exports from that copy."""
    return ExportSession.at(shared, tmp_path / "exports", monkeypatch)


@pytest.fixture
def own_session(built: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExportSession:
    """Return a session that exports from the test's own copy."""
    return ExportSession.at(built, tmp_path / "exports", monkeypatch)
