"""Object storage over HTTP on this machine: moto's server, and a proxy in front of it that misbehaves on request."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from support.http_servers import Handler, Server, serving

BUCKET = "orgo-insights-exports"
KEY_ID, SECRET = "AKIATHEKEYIDOFTESTS", "the+secret/of+tests"


@dataclass(frozen=True)
class Request:
    """A request as it came; `query` has the names alone."""

    method: str
    key: str
    query: frozenset[str]
    headers: dict[str, str]

    @property
    def operation(self) -> str:
        """Return S3's name of the operation."""
        names = {
            ("HEAD", False): "HeadObject",
            ("PUT", False): "PutObject",
            ("PUT", True): "UploadPart",
            ("DELETE", False): "DeleteObject",
            ("DELETE", True): "AbortMultipartUpload",
            ("POST", False): "CreateMultipartUpload",
            ("POST", True): "CompleteMultipartUpload",
        }
        return names.get((self.method, "uploadId" in self.query), self.method)


@dataclass
class Storage:
    """A running server; `requests` are those that passed the front."""

    url: str
    direct: str  # the URL without a front
    requests: list[Request] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)

    @cached_property
    def client(self) -> Any:
        """Return a client for the tests."""
        return boto3.client(
            "s3",
            endpoint_url=self.direct,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )

    def objects(self) -> list[str]:
        """Return the keys of the objects in the bucket."""
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def uploads(self) -> list[str]:
        """Return the keys of unfinished uploads."""
        return [item["Key"] for item in self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]

    def body(self, key: str) -> bytes:
        """Return the content of an object."""
        data: bytes = self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return data

    def operations(self) -> list[str]:
        """Return the requests to the front, in order."""
        return [request.operation for request in self.requests]


@contextmanager
def moto() -> Iterator[Storage]:
    """Yield moto's server as a process, with the bucket."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        storage = Storage(url, url)
        _wait(port, process)
        storage.client.create_bucket(Bucket=BUCKET)
        yield storage
    finally:
        process.kill()
        process.wait()


@contextmanager
def front(back: Storage, tls: ssl.SSLContext | None = None) -> Iterator[Storage]:
    """Yield a server that passes requests on to `back`, unless one of its `rules` applies; with `tls` over TLS."""
    server = _Server(_Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.back = urlsplit(back.url).netloc
    server.storage = Storage(f"http://127.0.0.1:{server.server_port}", back.url)
    with serving(server):
        yield server.storage


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, "moto's server ended"
        assert time.monotonic() < deadline, "moto's server does not start"
        time.sleep(0.05)


class _Server(Server):
    back: str
    storage: Storage


class _Handler(Handler):
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        query = frozenset(parse_qs(parts.query, keep_blank_values=True))
        key = parts.path.removeprefix(f"/{BUCKET}").lstrip("/")
        request = Request(self.command, key, query, dict(self.headers))
        if key:
            self.server.storage.requests.append(request)
            for rule in self.server.storage.rules:
                if rule(self, request, body):
                    return
        self.pass_on(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815

    def pass_on(self, body: bytes, without: str = "", *, answering: bool = True) -> None:
        """Forward the request to the server; the client may not receive the answer."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("expect", without)}
        behind = HTTPConnection(self.server.back)
        behind.request(self.command, self.path, body, headers)
        response = behind.getresponse()
        said = response.read()
        behind.close()
        if not answering:
            self.cut()
            return
        self.send_response(response.status)
        hop = ("connection", "transfer-encoding", "date", "server")
        length = {"Content-Length": response.getheader("Content-Length") or str(len(said))}
        kept = {name: value for name, value in response.getheaders() if name.lower() not in (*hop, "content-length")}
        for name, value in (kept | length).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    def answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())


Rule = Callable[[_Handler, Request, bytes], bool]


def _when(operation: str, key: str) -> Callable[[Request], bool]:
    return lambda request: request.operation == operation and request.key.endswith(key)


def refuse(operation: str, status: int, code: str = "", key: str = "", message: str = "No.") -> Rule:
    """Answer an operation on keys that end so with an error; the message repeats what was sent, as none should."""
    matches = _when(operation, key)

    def rule(handler: _Handler, request: Request, body: bytes) -> bool:
        if not matches(request):
            return False
        said = f"{message} {request.headers.get('Authorization', '')}"
        handler.answer(status, f"<Error><Code>{code}</Code><Message>{said}</Message></Error>" if code else "")
        return True

    return rule


def cut(operation: str, key: str = "") -> Rule:
    """Cut the connection without an answer and without executing the request."""
    matches = _when(operation, key)

    def rule(handler: _Handler, request: Request, body: bytes) -> bool:
        if matches(request):
            handler.cut()
        return matches(request)

    return rule


def lose_answer(operation: str, times: int, key: str = "") -> Rule:
    """Do what is asked, but cut the connection before the answer, so many times."""
    matches, left = _when(operation, key), [times]

    def rule(handler: _Handler, request: Request, body: bytes) -> bool:
        if not matches(request) or not left[0]:
            return False
        left[0] -= 1
        handler.pass_on(body, answering=False)
        return True

    return rule


def know_no_conditions(*, refusing: bool) -> Rule:
    """Behave like a service without If-None-Match for writing: refuse it (501), or ignore it."""

    def rule(handler: _Handler, request: Request, body: bytes) -> bool:
        if "If-None-Match" not in request.headers:
            return False
        if refusing:
            handler.answer(501, "<Error><Code>NotImplemented</Code><Message>No.</Message></Error>")
        else:
            handler.pass_on(body, without="if-none-match")
        return True

    return rule


def meanwhile(operation: str, action: Callable[[], object], key: str = "") -> Rule:
    """Do something else just before an operation, once."""
    matches, done = _when(operation, key), [False]

    def rule(handler: _Handler, request: Request, body: bytes) -> bool:
        if matches(request) and not done[0]:
            done[0] = True
            action()
        return False

    return rule


def garble(operation: str, key: str = "") -> Rule:
    """Answer with something that is no answer of S3."""
    matches = _when(operation, key)

    def rule(handler: _Handler, request: Request, body: bytes) -> bool:
        if matches(request):
            handler.answer(200, "<<< a login page of some proxy")
        return matches(request)

    return rule
