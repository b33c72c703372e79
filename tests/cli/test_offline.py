"""In `offline`, every command that changes something or sends data is refused unless `offline.enabled` is true (D9)."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import Fails
from support.config_project import ConfigProject
from support.warehouse import Warehouse

from orchestration.config.files import load_settings

pytest_plugins = ["support.command"]
DATES = ("--from", "2026-01-01", "--to", "2026-01-31")
EXPORT = ("--org", "x", *DATES, "--format", "csv", "--user", "x", "--output", "x.csv")
COMMANDS = [
    (["build"], "Loads"),
    (["reconcile"], "Loads"),
    (["rebuild", "--yes"], "Loads"),
    (["purge"], "Purges"),
    (["purge", "--yes"], "Purges"),
    (["warm"], "Warm-ups of the cache"),
    (["reviews", "send"], "Deliveries of review cases"),
    (
        ["export", "tasks", *EXPORT],
        "Exports",
    ),
]


@pytest.mark.services
@pytest.mark.parametrize(("arguments", "work"), COMMANDS, ids=lambda value: "" if isinstance(value, str) else value[0])
def test_a_command_that_writes_or_sends_is_refused(
    arguments: list[str], work: str, prepared: Warehouse, fails: Fails
) -> None:
    err = fails(*arguments, INSIGHTS_ENV="offline", INSIGHTS_WAREHOUSE_URL=prepared.etl_url)
    assert err.startswith(f"Error: {work} are disabled in offline. Set INSIGHTS_ENV"), err


def test_offline_that_is_enabled_is_like_any_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "offline")
    project = ConfigProject.copy_to(tmp_path)
    project.edit("  offline:\n    enabled: false", "  offline:\n    enabled: true")
    load_settings(project.folder).check_offline("Loads")
