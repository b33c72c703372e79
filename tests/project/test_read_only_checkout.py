"""A checkout that its user cannot write: every command works and writes only where the documented variables say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.recipes import Copy
from support.warehouse import Warehouse

# A superuser may write everywhere, unless it gives up this capability.
AS_PLAIN_USER = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """Yield a copy of the project without any permission to write."""
    if os.geteuid() == 0 and not shutil.which(AS_PLAIN_USER[0]):
        pytest.skip("a superuser needs setpriv to run a command that may not write everywhere")
    project = Copy.make(tmp_path).project
    folders = [project, *(path for path in project.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield project
    for folder in folders:
        folder.chmod(0o755)


@pytest.mark.services
@pytest.mark.parametrize("named", [True, False])
def test_a_read_only_checkout_is_built_from(checkout: Path, prepared: Warehouse, tmp_path: Path, named: bool) -> None:
    before = sorted(checkout.rglob("*"))
    home = tmp_path / "home"
    home.mkdir()
    places = {"DBT_TARGET_PATH": str(tmp_path / "t"), "DBT_LOG_PATH": str(tmp_path / "l")} if named else {}
    given = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "XDG_"))}
    given |= {
        **places,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(checkout),
        "INSIGHTS_WAREHOUSE_URL": prepared.etl_url,
    }

    def run(*command: str) -> str:
        wrapped = (*AS_PLAIN_USER, *command) if os.geteuid() == 0 else command
        done = subprocess.run(wrapped, cwd=checkout, env=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    python, insights = sys.executable, str(Path(sys.executable).with_name("insights"))
    assert "True" in run(python, "-c", f"import os; print(not os.access({str(checkout)!r}, os.W_OK))")
    run(insights, "build", "--as-of", "2026-01-01", "--select", "stg_roles")
    run(insights, "manifest")
    assert "overview" in run(insights, "dashboards")
    if named:  # plain dbt knows no other place than these
        assert "stg_roles" in run(str(Path(sys.executable).with_name("dbt")), "ls", "--select", "stg_roles", "--quiet")
    assert sorted(checkout.rglob("*")) == before
    written = {path.name for path in tmp_path.iterdir()} - {"project", "work", "home"}
    assert written == ({"t", "l"} if named else {"cache"})
    assert list(home.iterdir()) == []
