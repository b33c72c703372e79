"""A line to a Redis that carries so many bytes a second, as a network far away does."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

from workshop.services import LocalRedis

PIECE = 65536  # bytes that are read at a time


class SlowLine:
    """Listens on a free port of the loopback interface while its context is open; what Redis answers is not slowed."""

    def __init__(self, redis_server: LocalRedis, bytes_a_second: int) -> None:
        """Connect to the socket of this server."""
        self._socket = redis_server.url().removeprefix("unix://").partition("?")[0]
        self._rate = bytes_a_second
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.seconds = 0.0  # that it has kept bytes back, in all

    def __enter__(self) -> SlowLine:
        """Begin to listen."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop accepting connections."""
        self._listener.close()

    def url(self) -> str:
        """Return the URL of the Redis through this line."""
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/1"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._socket)
                for source, target, is_slow in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._carry, args=(source, target, is_slow), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, is_slow: bool) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE):
                if is_slow:
                    time.sleep(len(data) / self._rate)
                    self.seconds += len(data) / self._rate
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
