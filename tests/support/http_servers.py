"""HTTP servers on a free port of this machine, for tests that cut connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """A server that waits for none of its threads when it ends, and says nothing of clients that are gone."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: type[Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, *_: object) -> None:
        """Ignore a client that has disconnected, because these tests disconnect on purpose."""


class Handler(BaseHTTPRequestHandler):
    """What answers one connection, and can cut it."""

    protocol_version = "HTTP/1.1"

    def cut(self) -> None:
        """End the connection without an answer."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serving(server: Server) -> Iterator[None]:
    """Run the server in its own thread for a block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
