"""Reads the processor time of a PostgreSQL server on this machine from /proc; elsewhere, its platform knows it."""

from __future__ import annotations

import os
from pathlib import Path

_PARENT, _USED = 1, slice(11, 15)  # fields after the name: ppid; utime, stime, cutime, cstime


def server_seconds(backend: int, proc: Path = Path("/proc")) -> float | None:
    """Return the processor seconds that the server of a session has used, of all its processes.

    `backend` is the session's process. Returns None where /proc does not show it: on another machine, in another
    container, or on a system without /proc. A process that has ended is counted by its parent.
    """
    own = _fields(proc / str(backend))
    if own is None or _name(proc / str(backend)) != "postgres":
        return None
    server = own[_PARENT]
    members = [proc / server, *(path for path in proc.glob("[0-9]*") if (_fields(path) or "  ")[_PARENT] == server)]
    ticks = 0
    for member in members:
        if fields := _fields(member):
            ticks += sum(map(int, fields[_USED]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return ""


def _fields(process: Path) -> list[str] | None:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
