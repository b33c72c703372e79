"""Requests as bytes, for what no client library sends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from support.api.server import CLIENT_SECONDS, Api, Got


@contextmanager
def connected(api: Api) -> Iterator[socket.socket]:
    """Yield a connection to the service."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=CLIENT_SECONDS) as connection:
        yield connection


def send(api: Api, sent: bytes) -> bytes:
    """Send bytes on a connection of their own, and return all that comes until the service closes it."""
    received = b""
    with connected(api) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may close the connection before it has read all
            connection.sendall(sent)
        with suppress(ConnectionResetError):
            while part := connection.recv(65536):
                received += part
    return received


def ask(api: Api, target: str, headers: list[tuple[str, str]], method: str = "GET", body: bytes = b"") -> Got:
    """Send one request exactly as it is given, also with a header twice."""
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *(f"{n}: {v}" for n, v in headers), "", ""]
    return parsed(send(api, "\r\n".join(lines).encode("latin-1") + body))


def parsed(received: bytes) -> Got:
    """Return the first answer among received bytes."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    return Got(int(first.split()[1]), {n.lower(): v for n, _, v in (line.partition(": ") for line in rest)}, body)
