"""What the steps of a run log, in the process of the test."""

from __future__ import annotations

import pytest


class TaskLog:
    """The log since the test began, or since `clear`.

    Airflow 2.8 hands the messages of steps to `logging`; in Airflow 3, the runner of steps prints its own.
    """

    def __init__(self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
        self._logged, self._capture, self._printed = caplog, capfd, ""

    @property
    def text(self) -> str:
        """Return all messages, with the tracebacks of errors."""
        self._printed += "".join(self._capture.readouterr())
        return self._logged.text + self._printed

    def clear(self) -> None:
        """Forget what was logged so far."""
        self._logged.clear()
        self._capture.readouterr()
        self._printed = ""
