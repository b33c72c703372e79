"""Runs dbt as a child that ends with its parent: `python dbt_process.py PIPE ARGUMENTS...` (decision D136).

THEN between the arguments begins another command, which runs after the former has succeeded, with the project that it
has parsed (decision D199). This is run as a file and imports nothing of this package, so that it starts as fast as
dbt's own command.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

THEN = ";"


def main() -> None:
    """Run dbt with the arguments after PIPE, the file descriptor of a pipe whose other end the parent holds open.

    Exits with the code of the first command that fails, or with that of the last.
    """
    pipe, commands = int(sys.argv[1]), _commands(sys.argv[2:])
    threading.Thread(target=_end_with_parent, args=[pipe], daemon=True).start()
    # A shell starts background commands with SIGINT ignored, and dbt cancels its statements only on SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    from dbt.cli.main import cli  # noqa: PLC0415 - takes seconds, in which a signal may arrive

    known: dict[str, Any] = {"callbacks": []}  # dbt adds what it has read; it ignores an empty dictionary
    for arguments in commands:
        sys.argv = ["dbt", *arguments]
        try:
            cli(obj=known)
        except SystemExit as end:
            if end.code or arguments is commands[-1]:
                raise
        known = {"callbacks": [], "manifest": known.get("manifest")}


def _commands(arguments: list[str]) -> list[list[str]]:
    ends = [place for place, argument in enumerate(arguments) if argument == THEN]
    return [arguments[begin + 1 : end] for begin, end in zip([-1, *ends], [*ends, len(arguments)], strict=True)]


def _end_with_parent(pipe: int) -> None:
    os.read(pipe, 1)  # returns when the parent has ended, because nothing is ever written
    # Without its parent, nothing holds the writer lock: no further statement may be sent, not even to cancel others.
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
