"""Limits the time of a whole exchange over a socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def cut_off(connection: socket.socket, deadline: float) -> Iterator[None]:
    """Shut a connection down at `deadline` (time.monotonic()); its own timeout restarts with every byte."""
    same = connection.dup()  # TLS takes over the file descriptor of the original

    def shut_down() -> None:
        with suppress(OSError):
            same.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(deadline - time.monotonic(), 0), shut_down)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        same.close()
