"""Find and end the processes of a private service.

They are found by the marker that the service carries in its command line: unlike a pid file it cannot be stale,
lost, or name a process of somebody else, and unlike the working folder it can be read without privileges.
"""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import InsightsError

PROGRAMS = {"postgres", "redis-server", "valkey-server"}
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Process:
    """A live process: its id, its parent's id, and its command line with spaces between the arguments."""

    pid: int
    parent: int
    title: str


def find(marker: str) -> list[Process]:
    """Return the live server processes whose command line holds `marker`."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if marker not in title:
                continue
            before, _, after = (folder / "stat").read_text(errors="replace").rpartition(")")
        except OSError:  # it has ended meanwhile
            continue
        if before.partition("(")[2] in PROGRAMS:
            found.append(Process(pid=int(folder.name), parent=int(after.split()[1]), title=title))
    return found


def end(marker: str, attempts: Sequence[tuple[signal.Signals, float]]) -> None:
    """End all processes that carry `marker`; none is fine.

    Each attempt is a signal and the seconds that the processes get to end after it. The signal goes to the processes
    whose parent is not one of them: a server ends its own children, and orphans have no server left.
    Raises InsightsError when some are alive after the last attempt.
    """
    for number, seconds in attempts:
        found = find(marker)
        pids = {process.pid for process in found}
        for process in found:
            if process.parent not in pids:
                _send(process.pid, number)
        if _gone(marker, seconds):
            return
    raise InsightsError(f"these processes do not end: {', '.join(str(process.pid) for process in find(marker))}")


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise InsightsError(f"process {pid} belongs to somebody else and cannot be ended") from error


def _gone(marker: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while find(marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
