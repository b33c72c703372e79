"""A copy of the configuration for each test; `pytest_plugins` names this module where it is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.config_project import ConfigProject


@pytest.fixture
def project(tmp_path: Path) -> ConfigProject:
    return ConfigProject.copy_to(tmp_path)
