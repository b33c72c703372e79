"""PostgreSQL's socket on a port, as it is, or as a connection pooler has it: with a made-up key for canceling."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

KEY_DATA = b"K"


class Pooler:
    """Listens on a free port of the loopback interface while its context is open."""

    def __init__(self, server: Path) -> None:
        """Pass connections on to the socket `server`."""
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        """Return the port."""
        threading.Thread(target=self._accept, daemon=True).start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        """Stop accepting connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answers, args=(server, client), daemon=True).start()

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        _answer(server, client)


class Forwarder(Pooler):
    """The same without a change of any byte."""

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        _pass_on(server, client)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _answer(server: socket.socket, client: socket.socket) -> None:
    """Yield the server's messages (a letter, a length, a body), with another process id in the one that names it."""
    with server.makefile("rb") as messages, suppress(OSError, struct.error):
        while kind := messages.read(1):
            (length,) = struct.unpack("!i", messages.read(4))
            body = messages.read(length - 4)
            if kind == KEY_DATA:
                body = struct.pack("!ii", 4_194_304 + 7, 12345)
            client.sendall(kind + struct.pack("!i", length) + body)
    client.close()
