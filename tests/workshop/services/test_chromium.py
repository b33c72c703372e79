"""Test how Chromium is found: on the machine, or as Playwright's own."""

from pathlib import Path

import pytest

from orchestration.errors import MisconfiguredError
from workshop.services.__main__ import main
from workshop.services.chromium import FOLDER, chromium_program, installed_chromium


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv(FOLDER, str(tmp_path / "own"))
    return tmp_path


def test_without_one_it_is_said_what_to_install(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MisconfiguredError, match=r"chromium, chromium-browser.*playwright install"):
        chromium_program()
    assert main(["needs-chromium"]) == 0
    assert capsys.readouterr().out == "yes\n"


def test_a_stub_is_passed_over_and_playwrights_own_is_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(place / "bin/chromium", "echo 'install the snap' >&2; exit 1")
    assert installed_chromium() is None
    own = program(place / "own/chromium_headless_shell-1/x/chrome-headless-shell", "echo 'Google Chrome 156.0'")
    assert chromium_program() == own
    found = program(place / "bin/google-chrome", "echo 'Google Chrome 156.0'")
    assert chromium_program() == found
    assert main(["needs-chromium"]) == 0
    assert capsys.readouterr().out == "no\n"
