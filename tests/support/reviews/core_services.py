"""Core Services as far as reviews know it: a real HTTP server that keeps cases and misbehaves on command."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.http_servers import Handler, Server, serving


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """Return its idempotency key."""
        return self.headers["Idempotency-Key"]


@dataclass
class CoreServices:
    """A running server; `cases` are those it made, so a case that is made twice is in it twice."""

    url: str
    status_of_known: int = 409
    requests: list[Received] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    bytes_written: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    _keys: set[str] = field(default_factory=set)
    _next: deque[Behavior] = field(default_factory=deque)
    _always: dict[str, Behavior] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    @contextmanager
    def started(cls, certificate: Path | None = None) -> Iterator[CoreServices]:
        """Run a server on a free port of this machine, with TLS if `certificate` (with its key) is given."""
        server = _Server(_Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.core = cls(f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}/api/cases?from=insights")
        with serving(server):
            try:
                yield server.core
            finally:
                server.core.released.set()

    def next(self, *behaviors: Behavior) -> None:
        """Set the behavior for the next requests, in order; later requests are answered as usual."""
        self._next.extend(behaviors)

    def always(self, behavior: Behavior, case_id: str = "any") -> None:
        """Set the behavior for one case, or for all."""
        self._always[case_id] = behavior

    def tries(self, case_id: str) -> int:
        """Return how often a case was posted."""
        return sum(request.key == case_id for request in self.requests)

    def _take(self, request: Received) -> Behavior:
        with self._lock:
            self.requests.append(request)
            if self._next:
                return self._next.popleft()
            return self._always.get(request.key) or self._always.get("any") or accept()

    def _keep(self, request: Received) -> int:
        """Make the case, once for each idempotency key; the status that says so."""
        with self._lock:
            if request.key in self._keys:
                return self.status_of_known
            self._keys.add(request.key)
            self.cases.append(json.loads(request.body))
            return 201


class _Server(Server):
    core: CoreServices


class _Handler(Handler):
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Received(self.path, dict(self.headers), body)
        self.server.core._take(request)(self, request)

    do_GET = do_POST = _handle  # noqa: N815 - a redirect may be followed by GET

    def answer(self, status: int, body: str = "", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body.encode()))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())


Behavior = Callable[[_Handler, Received], None]


def accept(meanwhile: Callable[[], object] = lambda: None) -> Behavior:
    """Make the case, do something else, then answer 201; a known one gets `status_of_known`."""

    def behavior(handler: _Handler, request: Received) -> None:
        status = handler.server.core._keep(request)
        meanwhile()
        handler.answer(status, "known" if status != 201 else "made")

    return behavior


def answer(status: int, body: str = "", **headers: str) -> Behavior:
    """Answer so, and make no case; an underscore in a header's name stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _: handler.answer(status, body, named)


def later(wait: float, retry_after: Callable[[float], str]) -> Behavior:
    """Answer 429 with a Retry-After that `retry_after` makes of the time (seconds since 1970) of acceptance."""
    free_at: dict[str, float] = {}

    def behavior(handler: _Handler, request: Received) -> None:
        if time.time() >= free_at.setdefault(request.key, time.time() + wait):
            accept()(handler, request)
        else:
            handler.answer(429, headers={"Retry-After": retry_after(free_at[request.key])})

    return behavior


def cut(*, accepting: bool) -> Behavior:
    """Cut the connection without an answer."""

    def behavior(handler: _Handler, request: Received) -> None:
        if accepting:
            handler.server.core._keep(request)
        handler.cut()

    return behavior


def hang(*, accepting: bool) -> Behavior:
    """Leave the request without an answer."""

    def behavior(handler: _Handler, request: Received) -> None:
        if accepting:
            handler.server.core._keep(request)
        handler.server.core.released.wait()
        handler.cut()

    return behavior


def pour(beginning: str, endless: str, every_seconds: float, *, accepting: bool = False) -> Behavior:
    """Write `beginning`, then `endless` again and again until the client has had enough."""

    def behavior(handler: _Handler, request: Received) -> None:
        core = handler.server.core
        if accepting:
            core._keep(request)
        handler.wfile.write(beginning.encode())
        with suppress(OSError):
            while not core.released.wait(every_seconds):
                handler.wfile.write(endless.encode())
                core.bytes_written += len(endless)
        handler.cut()

    return behavior


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return a file with key and certificate for 127.0.0.1, and the certificate alone; skips without openssl."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl is not installed: no certificate can be made")
    key, certificate, both = folder / "server.key", folder / "server.crt", folder / "server.pem"
    subject = ["-subj", "/CN=core", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return both, certificate
