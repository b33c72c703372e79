"""The folder for exported files; `pytest_plugins` names this module where it is needed."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the exports; it does not exist yet."""
    directory = tmp_path / "exports"
    monkeypatch.setenv("INSIGHTS_EXPORT_DIR", str(directory))
    return directory
