"""Find and end the processes of a private service.

A marker in the server's command line identifies them: unlike a pid file it cannot be stale, lost, or name an
unrelated process, and unlike the working folder it can be read without privileges. Airflow's processes overwrite their
command lines, so they carry the marker in their environment, which their child processes inherit.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import FailedError, RefusedError

PROGRAMS = {"postgres", "redis-server", "valkey-server"}
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Process:
    """A live process: its id, its parent's id, and its command line with spaces between the arguments."""

    pid: int
    parent: int
    title: str


def find(marker: str) -> list[Process]:
    """Return the live server processes whose command line contains `marker`."""
    return [process for process, program in _living(marker, "cmdline") if program in PROGRAMS]


def find_by_environment(assignment: str) -> list[Process]:
    """Return the live processes of this user that were started with `assignment` (NAME=value) in their environment.

    A program that calls setproctitle overwrites its environment unless SPT_NOENV is set.
    """
    return [process for process, _ in _living(assignment, "environ")]


def end(
    marker: str,
    attempts: Sequence[tuple[signal.Signals, float]],
    lookup: Callable[[str], list[Process]] = find,
) -> None:
    """End all processes that `lookup` finds for `marker`, if any.

    Each attempt is a signal and the seconds to wait for the processes to end. The signal goes only to processes whose
    parent is not among them, because a server ends its own children and orphans have no server. SIGKILL goes to all,
    because a killed server cannot end its children.
    Returns once their files, sockets and shared memory are free too. Raises FailedError when a process is alive after
    the last attempt.
    """
    seen: set[int] = set()
    for number, seconds in attempts:
        found = lookup(marker)
        pids = {process.pid for process in found}
        seen |= pids
        for process in found:
            if process.parent not in pids or number == signal.SIGKILL:
                _send(process.pid, number)
        if _gone(marker, seen, seconds, lookup):
            return
    alive = ", ".join(str(process.pid) for process in lookup(marker))
    raise FailedError(f"these processes do not end, even after SIGKILL: {alive}")


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone or a zombie.

    Also works for a process that is just starting or ending, which `find` misses because /proc shows neither its
    command line nor its environment.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in ("Z", "X")


def _living(text: str, file: str) -> Iterator[tuple[Process, str]]:
    """Yield each process whose /proc/<pid>/`file` contains `text`, and the name of the program that it runs."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if text not in _words(folder / file):
                continue
            title = _words(folder / "cmdline")
            before, _, after = (folder / "stat").read_text(errors="replace").rpartition(")")
        except OSError:  # the process has ended, or this user may not read its environment
            continue
        yield Process(pid=int(folder.name), parent=int(after.split()[1]), title=title), before.partition("(")[2]


def _words(path: Path) -> str:
    return path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise RefusedError(
            f"process {pid} belongs to another user and cannot be ended: ask its owner or root to end it"
        ) from error


def _gone(marker: str, seen: set[int], seconds: float, lookup: Callable[[str], list[Process]]) -> bool:
    deadline = time.monotonic() + seconds
    while lookup(marker) or not all(has_ended(pid) for pid in seen):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
