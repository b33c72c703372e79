"""Runs dbt as a child that ends with its parent: `python dbt_process.py PIPE ARGUMENTS...` (decision D136).

It is run as a file and imports nothing of this package, so that it starts as fast as dbt's own command.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def main() -> None:
    """Run dbt with the arguments after PIPE, the file descriptor of a pipe whose other end the parent holds open."""
    pipe, arguments = int(sys.argv[1]), sys.argv[2:]
    threading.Thread(target=_end_with_parent, args=[pipe], daemon=True).start()
    # A shell starts background commands with SIGINT ignored, and dbt cancels its statements only on SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.argv = ["dbt", *arguments]
    from dbt.cli.main import cli  # noqa: PLC0415 - takes seconds, in which a signal may arrive

    cli()


def _end_with_parent(pipe: int) -> None:
    os.read(pipe, 1)  # returns when the parent has ended, because nothing is ever written
    # Without its parent, nothing holds the writer lock: no further statement may be sent, not even to cancel others.
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
