"""Runs a command line of `insights` in the process of the test."""

from __future__ import annotations

import sys
from typing import Protocol

import pytest

from orchestration.cli import main


class Fails(Protocol):
    """Runs `insights ARGUMENTS` with more environment variables; it must fail, and returns what it says on stderr."""

    def __call__(self, *arguments: str, code: int = 1, **environment: str) -> str:
        """Assert the exit code, that stdout is empty, and that there is no traceback."""


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Fails:
    """Return a function that runs a command which must fail."""

    def run(*arguments: str, code: int = 1, **environment: str) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["insights", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        assert (end.value.code, out) == (code, ""), err
        assert "Error: " in err and "Traceback" not in err
        return err

    return run
