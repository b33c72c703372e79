"""Runs a program on a terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

from orchestration.errors import FailedError

INSIGHTS = str(Path(sys.executable).with_name("insights"))
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(*command: str, width: int = 80, code: int = 0, environment: Mapping[str, str] | None = None) -> str:
    """Return what a command writes to a terminal; raises FailedError for another exit code."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    variables = inherited | {"TERM": "xterm-256color"} | dict(environment or {})
    with subprocess.Popen(command, stdout=follower, stderr=subprocess.PIPE, env=variables) as child:
        os.close(follower)
        written = b""
        while part := _read(leader):
            written += part
        said = child.communicate()[1].decode()
    os.close(leader)
    if child.returncode != code:
        raise FailedError(f"{' '.join(command)} ended with {child.returncode}: {said}")
    return written.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    """Return the text without colors."""
    return ESCAPES.sub("", text)


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:  # Linux reports the end of a terminal so
        return b""
