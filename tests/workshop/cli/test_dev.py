"""`./dev`: each of its own commands has help, refuses what it does not know, and removes nothing without consent."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from orchestration.config.files import PROJECT

# The other commands hand their arguments on.
OWN = ("test", "image", "lint", "format", "setup", "lock", "audit", "stop", "clean")


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


@pytest.mark.parametrize("command", [name for name in OWN if name not in ("test", "image", "audit")])
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
    locked = {  # a line with a marker may be for another platform
        name
        for file in (PROJECT / "requirements").glob("*.txt")
        for name in re.findall(r"^([a-z0-9-]+)==[^ ]+ \\$", file.read_text("utf-8"), re.M)
    }
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
