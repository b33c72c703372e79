"""A newcomer's hour: a plain user in a fresh checkout runs the demo, is curious, stops it and runs it again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.recipes import Copy

from orchestration.config.files import PROJECT

pytestmark = pytest.mark.services

NOBODY = 65534
# A superuser gives up all but reading, because the Python of the tests may lie in its home.
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)

# Files of the virtual environment that name the checkout it was made in.
OF_THE_CHECKOUT = ("bin/*", "pyvenv.cfg", "lib/*/site-packages/*.pth", "lib/*/site-packages/__editable__*")
CURIOUS = (
    "status",
    "dashboards",
    "config check",
    "config show",
    "patterns list",
    "reviews list",
    "dashboard no_such_dashboard",
    "purge",
)
"""Commands that somebody tries on the first day; some of them are refused, and none may break the demo."""


@dataclass(frozen=True)
class Newcomer:
    """A user without privileges, with an empty home, in a checkout."""

    project: Path
    home: Path

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command in the checkout, in an environment that holds nothing of the tests."""
        kept = {name: os.environ[name] for name in ("LANG", "TZ") if name in os.environ}
        return subprocess.run(
            [*(AS_NOBODY if os.geteuid() == 0 else ()), "bash", "-c", command],
            cwd=self.project,
            env=kept | {"PATH": os.defpath + ":/usr/local/bin:/usr/sbin", "HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def succeeds(self, command: str) -> str:
        """Run a command that must succeed; returns its output."""
        done = self.run(command)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _installed(project: Path) -> None:
    """Give a checkout what `./dev setup` installs, without the network: links to the environment of the tests."""
    made, environment = PROJECT / ".venv", project / ".venv"
    shutil.copytree(made, environment, symlinks=True, copy_function=_linked)
    for pattern in OF_THE_CHECKOUT:
        for file in environment.glob(pattern):
            if file.is_symlink() or file.is_dir():
                continue
            content, mode = file.read_bytes(), file.stat().st_mode
            file.unlink()
            file.write_bytes(content.replace(os.fsencode(PROJECT), os.fsencode(project)))
            file.chmod(mode)
    lines = []
    for line in (made / ".installed").read_text("utf-8").splitlines():
        name = line.split()[0]
        files = ["pyproject.toml", "workshop/pyproject.toml"]
        if name != "project":
            files = [f"requirements/{name}.txt", "requirements/bootstrap.txt"]
        text = f"{project}\n".encode() + b"".join((project / file).read_bytes() for file in files)
        lines.append(f"{name} {hashlib.sha256(text).hexdigest()}\n")
    (environment / ".installed").unlink()
    (environment / ".installed").write_text("".join(lines), "utf-8")


@pytest.fixture
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """Yield a newcomer, whose services are stopped and whose data is removed in the end."""
    if Path(sysconfig.get_paths()["purelib"]).parents[2] != PROJECT / ".venv":
        pytest.skip("these tests do not run in the environment that ./dev makes")
    folder = Path(os.path.realpath(tmp_path_factory.mktemp("newcomer")))
    project, home = Copy.make(folder).project, folder / "home"
    home.mkdir()
    _installed(project)
    if os.geteuid() == 0:
        if not shutil.which(AS_NOBODY[0]):
            pytest.skip("a superuser needs setpriv to become a plain user")
        for parent in (folder, *folder.parents):  # pytest lets nobody else in
            if not parent.stat().st_mode & 0o005:
                parent.chmod(parent.stat().st_mode | 0o055)
        for path in (home, project, *project.rglob("*")):
            if path.is_dir() or path.lstat().st_nlink == 1:  # not the files of the environment, which are shared
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    someone = Newcomer(project, home)
    yield someone
    someone.run(
        "./dev stop; .venv/bin/python -c 'from pathlib import Path; from workshop.services import *;"
        " remove_state(state_root(Path.cwd()))'"
    )


def test_the_first_hour_of_a_newcomer(newcomer: Newcomer) -> None:
    first = newcomer.succeeds("./dev demo")
    status = json.loads(newcomer.succeeds("./dev insights status --format json"))
    for command in CURIOUS:
        done = newcomer.run(f"./dev insights {command}")
        assert "Traceback" not in done.stdout + done.stderr, command
    export = re.findall(r"^ *(\./dev insights export .*?)(?:  .*)?$", first, re.M)
    dashboard = re.findall(r"^ *(\./dev insights dashboard .*?)(?:  .*)?$", first, re.M)
    # `./dev demo` builds everything, here and again; test_demo.py has `insights build` without a selection.
    for command in (*export, *dashboard, "./dev insights build --select dim_dates", "./dev stop"):
        newcomer.succeeds(command)
    newcomer.succeeds("./dev demo")
    again = json.loads(newcomer.succeeds("./dev insights status --format json"))
    assert [(mart["name"], mart["rows"]) for mart in again["marts"]] == [
        (mart["name"], mart["rows"]) for mart in status["marts"]
    ]
    assert export and dashboard
    assert not (newcomer.home / ".dbt").exists()
