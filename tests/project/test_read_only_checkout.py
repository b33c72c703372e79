"""A checkout that its user cannot write: every command works and writes only where the documented variables say."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from support import saved_parse
from support.recipes import Copy
from support.warehouse import Warehouse

# A superuser may write everywhere, unless it gives up this capability.
AS_PLAIN_USER = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
# The file system itself refuses writes, as that of a read-only volume of a container.
MOUNTED = (
    *("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",))),
    *("sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && cd "$0" && exec "$@"'),
)


def without_permissions(checkout: Path, request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Take the permissions to write in a checkout; returns what a command of a user without any begins with."""
    if os.geteuid() == 0 and not shutil.which(AS_PLAIN_USER[0]):
        pytest.skip("a superuser needs setpriv to run a command that may not write everywhere")
    for folder in [checkout, *(path for path in checkout.rglob("*") if path.is_dir())]:
        folder.chmod(0o555)
        request.addfinalizer(partial(folder.chmod, 0o755))
    return AS_PLAIN_USER if os.geteuid() == 0 else ()


def mounted(checkout: Path) -> tuple[str, ...]:
    """Return what a command begins with for which the checkout is mounted read-only."""
    wrapped = (*MOUNTED, str(checkout))
    try:
        tried = subprocess.run([*wrapped, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if tried.returncode:
        pytest.skip(f"the kernel allows no mount here: {tried.stderr}")
    return wrapped


@pytest.mark.services
@pytest.mark.parametrize(("way", "named"), [("permissions", True), ("permissions", False), ("mount", False)])
def test_a_read_only_checkout_is_built_from(
    prepared: Warehouse, tmp_path: Path, request: pytest.FixtureRequest, way: str, named: bool
) -> None:
    checkout = Copy.make(tmp_path).project
    beginning = mounted(checkout) if way == "mount" else without_permissions(checkout, request)
    before = sorted(checkout.rglob("*"))
    of_checkout = hashlib.sha256(os.fsencode(checkout)).hexdigest()[:12]
    target = tmp_path / "t" if named else tmp_path / "cache/orgo-insights" / of_checkout / "target"
    if (way, named) != ("permissions", False):  # which begins without any folder; the others spare dbt the parse
        saved_parse.save_for_copy(prepared.settings, prepared.etl_url, checkout, target)
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
        done = subprocess.run(
            [*beginning, *command], cwd=checkout, env=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    python, insights = sys.executable, str(Path(sys.executable).with_name("insights"))
    assert "True" in run(python, "-c", f"import os; print(not os.access({str(checkout)!r}, os.W_OK))")
    run(insights, "build", "--as-of", "2026-01-01", "--select", "stg_roles")
    run(insights, "manifest")
    assert "overview" in run(insights, "dashboards")
    if named:  # plain dbt knows no other place than these
        saved_parse.save({"DBT_TARGET_PATH": str(target)}, project=checkout)
        assert "stg_roles" in run(str(Path(sys.executable).with_name("dbt")), "ls", "--select", "stg_roles", "--quiet")
    assert sorted(checkout.rglob("*")) == before
    written = {path.name for path in tmp_path.iterdir()} - {"project", "work", "home"}
    assert written == ({"t", "l"} if named else {"cache"})
    assert {"parsed", "run_results.json"} <= {path.name for path in target.iterdir()}
    logs = tmp_path / "l" if named else target.with_name("logs")
    assert list(logs.iterdir()) != []
    assert list(home.iterdir()) == []
