"""The product and the workshop are two packages: the product's wheel needs nothing of the workshop."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from support import saved_parse
from support.warehouse import Warehouse

from orchestration import supervision
from orchestration.cli import commands
from orchestration.config.files import PROJECT
from orchestration.errors import MisconfiguredError
from orchestration.manifest import FILES as MANIFEST_FILES

PAGE = PROJECT / "orchestration/api/page"
WORKSHOP_COMMANDS = {"demo", "airflow", "load-incidents"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel of the product, built from the files that git knows."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "project"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((PROJECT / name).read_bytes())
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(copy))
    (made,) = folder.glob("*.whl")
    return made


def _pip(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_wheel_of_the_product_holds_no_workshop(wheel: Path) -> None:
    packages = {Path(name).parts[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert "orchestration" in packages
    assert "workshop" not in packages


@dataclass(frozen=True)
class Installed:
    """The wheel in a new environment, and an empty folder in which its command runs."""

    python: Path
    folder: Path

    @property
    def package(self) -> Path:
        (packages,) = (self.python.parents[1] / "lib").glob("python*/site-packages")
        return packages / "orchestration"

    def run(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "DBT_"))}
        environment |= {"XDG_CACHE_HOME": str(self.folder.parent / "cache"), **variables}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def insights(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run(self.python.with_name("insights"), *arguments, **variables)

    def files(self) -> dict[Path, bytes]:
        found = (path for path in self.package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return {path: path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment with the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", with_pip=False)
    made = folder / "venv/bin/python"
    _pip("--python", str(made), "install", "--no-deps", "--no-index", str(wheel))
    return made


@pytest.fixture
def installed(python: Path, tmp_path: Path) -> Installed:
    made = Installed(python, tmp_path / "elsewhere")
    made.folder.mkdir()
    # The libraries of this environment, without its editable installs: a .pth file is not read in a folder of another.
    (made.package.parent / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")
    return made


def test_the_installed_wheel_runs_without_the_workshop(installed: Installed) -> None:
    shown = installed.insights("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    listed = set(re.findall(r"^  ([a-z][a-z-]+) ", shown.stdout, re.M))
    assert listed == set(commands.commands)
    assert "No module named 'workshop'" in installed.run(installed.python, "-c", "import workshop").stderr


def test_the_wheel_holds_the_project_as_it_is_in_the_repository(installed: Installed) -> None:
    project = installed.package / "project"
    folders = ("config", "dags", "macros", "models", "seeds", "snapshots")
    listed = [
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        *folders,
        *MANIFEST_FILES,
        "tests/*.sql",
    ]
    names = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()
    held = {
        str(path.relative_to(project)): content
        for path, content in installed.files().items()
        if project in path.parents
    }
    assert held == {name: (PROJECT / name).read_bytes() for name in names}


def test_the_wheel_holds_the_page(installed: Installed) -> None:
    there = {str(file.relative_to(PAGE)): file.read_bytes() for file in PAGE.rglob("*") if file.is_file()}
    assert {"index.html", "app.js", "uplot/LICENSE", "uplot/uPlot.iife.min.js"} <= there.keys()
    page = installed.package / "api/page"
    assert {str(p.relative_to(page)): content for p, content in installed.files().items() if page in p.parents} == there


def test_every_package_is_in_the_wheel() -> None:
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    there = {
        str(file.parent.relative_to(PROJECT)).replace("/", ".") for file in PROJECT.glob("orchestration/**/__init__.py")
    }
    assert set(declared) == there | {"orchestration.project"}


@pytest.mark.services
def test_the_installed_wheel_builds_in_another_folder(installed: Installed, prepared: Warehouse) -> None:
    before = installed.files()
    cache = installed.folder.parent / "cache"
    project = installed.package / "project"
    saved_parse.save_for_copy(prepared.settings, prepared.etl_url, project, _target(cache, project))
    checked = installed.insights("config", "check")
    assert checked.returncode == 0, checked.stdout
    variables = {"INSIGHTS_WAREHOUSE_URL": prepared.etl_url, "INSIGHTS_AS_OF": "2026-01-01"}
    built = installed.insights(
        "build", "--select", "path:seeds", "staging", "--indirect-selection", "buildable", **variables
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert prepared.value("select count(*) from insights.tokens") > 0
    listed = installed.insights("dashboards")
    assert (listed.returncode, "overview" in listed.stdout) == (0, True), listed.stderr
    assert installed.files() == before
    assert list(installed.folder.iterdir()) == []
    (generated,) = (cache / "orgo-insights").iterdir()
    assert {path.name for path in generated.iterdir()} == {"target", "logs"}
    assert (generated / "target/run_results.json").exists()


def _target(cache: Path, project: Path) -> Path:
    """Return the folder of dbt's artifacts in a user's cache."""
    return cache / "orgo-insights" / hashlib.sha256(os.fsencode(project)).hexdigest()[:12] / "target"


def test_another_configuration_and_project_are_used_or_it_is_said_what_is_wrong(installed: Installed) -> None:
    own = installed.folder / "own.yaml"
    text = (PROJECT / "config/insights/config.yaml").read_text("utf-8")
    own.write_text(text.replace("concurrency: 4", "concurrency: 3"), "utf-8")
    line = text[: text.index("concurrency: 4")].count("\n") + 1
    shown = installed.insights("--config", "own.yaml", "config", "show").stdout
    assert f"insights.etl.concurrency = 3  # own.yaml:{line}\n" in shown
    assert (
        f"insights.etl.concurrency = 3  # own.yaml:{line}\n"
        in installed.insights("config", "show", INSIGHTS_CONFIG="own.yaml").stdout
    )
    folder = installed.folder / "etc"
    (folder / "insights").mkdir(parents=True)
    own.rename(folder / "insights/config.yaml")
    shown = installed.insights("--config", "etc", "config", "show").stdout
    assert f"insights.etl.concurrency = 3  # etc/insights/config.yaml:{line}\n" in shown
    missing = installed.insights("--config", "none.yaml", "config", "check")
    assert missing.returncode == 1
    assert f'INSIGHTS_CONFIG is "none.yaml": does not exist (seen from {installed.folder})' in missing.stdout
    missing = installed.insights("--project-dir", "none", "config", "check")
    assert missing.returncode == 1
    assert 'INSIGHTS_PROJECT_DIR is "none": has no dbt_project.yml' in missing.stdout
    assert installed.insights("--project-dir", str(PROJECT), "config", "check").returncode == 0


def test_a_python_without_dbt_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    supervision.check_dbt()
    monkeypatch.setattr(supervision, "DBT_MODULES", {"no_dbt.cli": "dbt-core", "dbt.adapters.none": "dbt-postgres"})
    with pytest.raises(
        MisconfiguredError, match="cannot import dbt: dbt-core and dbt-postgres must be installed for this"
    ):
        supervision.run_dbt(["--version"], {})


def test_a_dbt_of_another_environment_is_not_used_and_it_is_said_where_one_is_needed(installed: Installed) -> None:
    # All libraries but dbt's, as in an image where Airflow has a Python of its own; the command dbt is on the path.
    libraries = installed.folder.parent / "libraries"
    libraries.mkdir()
    for found in Path(sysconfig.get_path("purelib")).iterdir():
        if not found.name.startswith("dbt"):
            (libraries / found.name).symlink_to(found)
    (installed.package.parent / "libraries.pth").write_text(f"{libraries}\n", "utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    assert installed.run("sh", "-c", "command -v dbt", PATH=path).returncode == 0
    assert installed.insights("--version", PATH=path).returncode == 0
    done = installed.insights("manifest", PATH=path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = (
        f"{installed.python} cannot import dbt: dbt-core and dbt-postgres must be installed for this Python, which runs"
        " insights. A dbt of another Python or environment is not used."
    )
    assert said in " ".join(done.stderr.split())


@pytest.mark.services
def test_an_installation_by_pip_user_is_not_lost_in_child_processes(
    wheel: Path, prepared: Warehouse, tmp_path: Path
) -> None:
    # As in Airflow's official image: the Python of the system holds nothing; `pip install --user` puts all packages,
    # also dbt, into the home of the user, and the commands are in ~/.local/bin.
    python, home = f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}", tmp_path / "home"
    environment = {
        **{"HOME": str(home), "PIP_USER": "true", "PATH": f"{home}/.local/bin:{os.defpath}", "LANG": "C.UTF-8"},
        **{"INSIGHTS_WAREHOUSE_URL": prepared.etl_url, "INSIGHTS_AS_OF": "2026-01-01"},
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
    }

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    home.mkdir()
    packages = Path(run(python, "-c", "import site; print(site.getusersitepackages())").strip())
    options = ("--no-deps", "--no-index", "--no-warn-script-location", "--break-system-packages")
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, str(wheel))
    (packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")
    # Without the packages of the user there is none.
    assert run(python, "-s", "-c", "from importlib.util import find_spec; print(find_spec('dbt'))") == "None\n"
    project = packages / "orchestration/project"
    saved_parse.save_for_copy(prepared.settings, prepared.etl_url, project, _target(home / ".cache", project))
    run("insights", "manifest")
    run("insights", "build", "--select", "tokens", "stg_roles", "--exclude-resource-type", "test")
    assert prepared.value("select count(*) from insights_staging.stg_roles") > 0
    dags = packages / "orchestration/project/dags"
    script = f"from airflow.models import DagBag; b = DagBag({str(dags)!r}, include_examples=False)"
    assert run(python, "-c", f"{script}; print(b.import_errors, len(b.dags))").splitlines()[-1] == "{} 6"


def test_the_product_imports_nothing_of_the_workshop() -> None:
    importing = [
        str(file.relative_to(PROJECT))
        for file in PROJECT.glob("orchestration/**/*.py")
        if re.search(r"^\s*(from|import) workshop\b", file.read_text("utf-8"), re.M)
    ]
    assert importing == []


def test_the_warehouse_package_imports_no_package_above_it() -> None:
    below = ("orchestration.config.", "orchestration.errors", "orchestration.warehouse")
    imported = {
        (file.name, name)
        for file in PROJECT.glob("orchestration/warehouse/*.py")
        for name in re.findall(r"^\s*(?:from|import) (orchestration[\w.]*)", file.read_text("utf-8"), re.M)
    }
    assert ("loads.py", "orchestration.errors") in imported
    assert {(file, name) for file, name in imported if not name.startswith(below)} == set()


def test_the_help_of_insights_lists_no_command_of_the_workshop() -> None:
    assert WORKSHOP_COMMANDS.isdisjoint(commands.commands)
    output = CliRunner().invoke(commands, ["--help"]).output
    assert not re.search(r"^  (demo|airflow|load-incidents)\b", output, re.M)
