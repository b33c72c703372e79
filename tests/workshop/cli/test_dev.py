"""`./dev`: each of its own commands has help, refuses what it does not know, and removes nothing without consent."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from packaging.requirements import Requirement

from orchestration.config.files import PROJECT

# The other commands hand their arguments on.
OWN = ("test", "python", "image", "lint", "format", "setup", "lock", "audit", "stop", "clean")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the script, what it needs to stop servers, and things that it generates."""
    shutil.copy(PROJECT / "dev", tmp_path)
    for package in ("orchestration", "workshop"):
        ignored = shutil.ignore_patterns("*.egg-info", "__pycache__")
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=ignored)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "manifest.json").write_text("{}")
    return tmp_path


def dev(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `./dev ARGUMENTS` there without a terminal."""
    command = [str(checkout / "dev"), *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", OWN)
def test_help_of_a_command_prints_its_lines_and_does_nothing(checkout: Path, command: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in checkout.rglob("*")}
    done = dev(checkout, command, "--help")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if re.match("  [a-z]", line)] == [command]
    assert {path: path.stat().st_mtime_ns for path in checkout.rglob("*")} == before


@pytest.mark.parametrize("command", [name for name in OWN if name not in ("test", "python", "image", "audit")])
def test_an_unknown_argument_is_refused_before_anything_is_done(checkout: Path, command: str) -> None:
    done = dev(checkout, command, "--whole")
    assert done.returncode == 1
    assert f"./dev {command} does not take '--whole'" in done.stderr
    assert f"see ./dev {command} --help" in done.stderr
    assert (checkout / "target").exists()


def test_clean_says_what_it_removes_and_needs_a_yes(checkout: Path) -> None:
    done = dev(checkout, "clean")
    assert done.returncode == 1
    assert "all __pycache__, and: target" in done.stdout
    assert "run ./dev clean --yes" in done.stderr
    assert (checkout / "target" / "manifest.json").exists()

    done = dev(checkout, "clean", "--yes")
    assert done.returncode == 0, done.stderr
    assert not (checkout / "target").exists()
    assert (checkout / "workshop").exists()


def pythons(folder: Path, *versions: str) -> Path:
    """Make commands that say they are these versions of Python; the others say that they are none. Return their folder.

    Each prints its own path as `find_python` asks for it, and its arguments otherwise.
    """
    folder.mkdir()
    for name in ("python3.11", "python3.12", "python3", "python"):
        version = name.removeprefix("python")
        known = f'[ "$3" != {version} ] || exec echo "$0"' if version in versions else ""
        (folder / name).write_text(f'#!/bin/sh\n{known}\n[ "$1" != -c ] || exit 1\necho "${{0##*/}} $*"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("versions", "used"), [(("3.11", "3.12"), "python3.11"), (("3.11",), "python3.11"), (("3.12",), "python3.12")]
)
def test_python_3_11_is_preferred_to_3_12(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: tuple[str, ...], used: str
) -> None:
    monkeypatch.setenv("PATH", str(pythons(tmp_path / "programs", *versions)), prepend=":")
    done = dev(checkout, "stop")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{used} -B -m workshop.services stop\n", "")


def test_a_machine_without_a_python_that_fits_gets_a_sentence(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(pythons(tmp_path / "programs")), prepend=":")
    said = "error: no Python 3.11 or 3.12 was found as python3.11, python3.12, python3 or python: install it"
    assert dev(checkout, "stop").stderr.startswith(said)
    # What is locked for both is resolved by the older one.
    monkeypatch.setenv("PATH", str(pythons(tmp_path / "others", "3.12")), prepend=":")
    assert dev(checkout, "lock").stderr.startswith("error: no Python 3.11 was found as python3.11, python3 or python")


@pytest.mark.parametrize("arguments", [(), ("3.11",), ("3.13", "tests/config"), ("--whole",)])
def test_tests_on_another_python_need_its_version(checkout: Path, arguments: tuple[str, ...]) -> None:
    done = dev(checkout, "python", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: name 3.12: see ./dev python --help; ./dev test has 3.11\n"


def environment(checkout: Path, name: str, requirements: str, **programs: str) -> None:
    """Make a virtual environment that is complete, as its stamps say, with these programs of the shell."""
    shutil.copytree(PROJECT / "requirements", checkout / "requirements")
    for file in ("pyproject.toml", "workshop/pyproject.toml"):
        shutil.copy(PROJECT / file, checkout / file)
    folder = checkout / name / "bin"
    folder.mkdir(parents=True)
    for program, script in programs.items():
        (folder / program).write_text(f"#!/bin/sh\n{script}\n")
        (folder / program).chmod(0o755)
    locks = {
        requirements: (f"requirements/{requirements}.txt", "requirements/bootstrap.txt"),
        "project": ("pyproject.toml", "workshop/pyproject.toml"),
    }
    stamps = {
        lock: sha256(f"{checkout}\n".encode() + b"".join((checkout / file).read_bytes() for file in files)).hexdigest()
        for lock, files in locks.items()
    }
    (checkout / name / ".installed").write_text("".join(f"{lock} {digest}\n" for lock, digest in stamps.items()))


@pytest.mark.parametrize(
    ("arguments", "has_defaults"),
    [
        ((), True),
        (("-vv", "-n", "2", "-k", "gate or clock"), True),
        (("tests/dags/test_dags.py", "-x"), False),
        (("-x", "tests/dags/test_dags.py::test_each_environment_has_the_inventory[prod]"), False),
        (("tests/workshop", "-q"), False),
    ],
)
def test_options_alone_leave_the_files_that_a_command_runs_by_default(
    checkout: Path, arguments: tuple[str, ...], has_defaults: bool
) -> None:
    for folder in ("dags", "workshop"):
        (checkout / "tests" / folder).mkdir(parents=True)
    (checkout / "tests/dags/test_dags.py").touch()
    answers = "*needs-wheels) echo no ;;"
    environment(
        checkout, ".venv-airflow3", "tests/airflow3",
        python=f'case "$*" in {answers} esac', pytest="printf '%s\\n' \"$@\"",
    )  # fmt: skip
    done = dev(checkout, "airflow3", "test", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    handed_on = done.stdout.splitlines()
    assert tuple(handed_on[: len(arguments)]) == arguments
    assert handed_on[len(arguments) :] == (["tests/dags"] if has_defaults else [])


@pytest.mark.parametrize("command", [("airflow", "status"), ("test", "--quick"), ("lint",)])
def test_an_environment_of_python_3_12_has_no_airflow_2(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    answers = "*needs-wheels) echo no ;; *sys.version_info*) exit 1 ;;"  # as far as the script can see, it is 3.12
    environment(checkout, ".venv", "dev", python=f'case "$*" in {answers} esac')
    done = dev(checkout, *command)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"./dev {command[0]} needs Airflow 2.8, which needs Python 3.11" in done.stderr
    assert "./dev airflow3" in done.stderr


class Advisories(BaseHTTPRequestHandler):
    """A server of vulnerabilities in OSV's format: one that docs/security.md lists, and one that no page lists."""

    known: ClassVar = {"apache-airflow": "CVE-2024-25142", "jinja2": "CVE-2099-0001"}
    asked: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
        self.asked.add(package)
        found = [{"id": self.known[package], "summary": "Planted.", "affected": []}] if package in self.known else []
        answer = json.dumps({"vulns": found} if found else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def test_audit_reports_what_the_security_page_does_not_answer() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Advisories) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        done = dev(PROJECT, "audit", "-s", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query")
        server.shutdown()
    assert done.returncode == 1, done.stderr
    assert "CVE-2099-0001" in done.stdout
    assert "CVE-2024-25142" not in done.stdout
    lines = [
        Requirement(line.removesuffix("\\"))
        for file in (PROJECT / "requirements").rglob("*.txt")
        for line in re.findall(r"^[a-z0-9-]+==.*$", file.read_text("utf-8"), re.M)
    ]
    locked = {line.name for line in lines if line.marker is None or line.marker.evaluate()}
    assert "apache-airflow" in locked
    assert locked - Advisories.asked == set()


@pytest.mark.parametrize("command", ["needs-wheels", "stop", "status", "clean"])
def test_the_services_need_no_installed_package(checkout: Path, command: str) -> None:
    # -S: without site-packages, as on a machine where nothing but Python is installed.
    python = [str(getattr(sys, "_base_executable")), "-S", "-B", "-m", "workshop.services", command]  # noqa: B009
    done = subprocess.run(python, cwd=checkout, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_of_the_script_is_in_its_help() -> None:
    script = (PROJECT / "dev").read_text(encoding="utf-8")
    cases = re.findall(r"^    ([a-z0-9| -]+)\)", script.split("case $command in\n", 1)[1], re.M)
    known = {name for case in cases for name in case.split(" | ")} - {"-h", "--help", "help"}
    shown = set(re.findall(r"^  ([a-z][a-z0-9-]+) ", script.split("cat <<'END'\n")[1].split("\nEND")[0], re.M))
    assert known == shown
