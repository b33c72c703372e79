"""The keys of tokens at an address: rotation, unknown ids, an issuer that is down, slow, or lies."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
import pytest
from support.api.server import Api, running
from support.api.tokens import claims, jwks, key_pair
from support.dashboards.dashboard_scenario import HOSPITAL
from support.http_servers import Handler, Server, serving
from support.warehouse import Warehouse

from orchestration.api import jwks as jwks_module
from orchestration.api.jwks import KEPT_SECONDS, PAUSE_SECONDS, REFRESH_SECONDS, KeySet
from orchestration.errors import MisconfiguredError, UnavailableError

pytest_plugins = ["support.api.fixtures"]

ALGORITHM = "ES256"
Answering = Callable[[BaseHTTPRequestHandler], None]
FIRST, SECOND = key_pair(ALGORITHM), key_pair(ALGORITHM)


class Issuer:
    """An HTTP server with a JWKS; `answer` may be replaced, and `requests` counts."""

    def __init__(self) -> None:
        self.requests = 0
        self.answer: Answering = self.keys(first=FIRST)
        issuer = self

        class Answers(Handler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:  # noqa: N802 - the name that the library calls
                issuer.requests += 1
                issuer.answer(self)

        self.server = Server(Answers)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"

    @staticmethod
    def body(content: bytes, status: int = 200, length: int | None = None, location: str | None = None) -> Answering:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            request.send_header("Content-Length", str(length or len(content)))
            if location:
                request.send_header("Location", location)
            request.end_headers()
            request.wfile.write(content)

        return answer

    @classmethod
    def keys(cls, **keys: Any) -> Answering:
        return cls.body(json.dumps(jwks(ALGORITHM, **keys)).encode())


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    with serving(made.server):
        yield made


class Clock:
    """The clock of the keys, which a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(jwks_module, "monotonic", found)
    return found


def knows(keys: KeySet, key_id: str | None) -> bool:
    return keys.find(key_id) is not None


def test_keys_are_read_once_and_again_after_an_hour(issuer: Issuer, clock: Clock) -> None:
    keys = KeySet(issuer.url, ALGORITHM)
    assert all(knows(keys, "first") for _ in range(100))
    assert issuer.requests == 1
    issuer.answer = issuer.keys(second=SECOND)
    clock.now += REFRESH_SECONDS - 1
    assert knows(keys, "first")
    clock.now += 1
    assert not knows(keys, "first")  # the issuer has it no longer
    assert knows(keys, "second")
    assert issuer.requests == 2


def test_a_new_key_is_found_by_its_id_before_that(issuer: Issuer, clock: Clock) -> None:
    keys = KeySet(issuer.url, ALGORITHM)
    issuer.answer = issuer.keys(first=FIRST, second=SECOND)
    clock.now += PAUSE_SECONDS
    assert knows(keys, "second")
    assert issuer.requests == 2


def test_invented_ids_do_not_become_requests(issuer: Issuer, clock: Clock) -> None:
    keys = KeySet(issuer.url, ALGORITHM)
    for number in range(1000):
        clock.now += 0.1
        assert not knows(keys, f"invented-{number}")
    assert issuer.requests == 1 + 3  # one for each whole PAUSE_SECONDS of 100 s
    assert PAUSE_SECONDS == 30


@pytest.mark.parametrize(
    "answer",
    [
        Issuer.body(b"", status=500),
        Issuer.body(b"<html>down for maintenance</html>"),
        Issuer.body(b'{"keys": []}'),
        Issuer.body(b"[" * 100_000),
        Issuer.body(b"x" * (jwks_module.MAX_BYTES + 1)),
        Issuer.body(b"{", length=100),
        Issuer.body(json.dumps(jwks("RS256", first=key_pair("RS256"))).encode()),
        Issuer.body(b"", status=302, location="file:///etc/passwd"),
        lambda request: request.wfile.write(b"no HTTP at all\r\n\r\n"),
        lambda request: request.connection.close(),
    ],
    ids=["500", "html", "empty", "deep", "huge", "cut", "other algorithm", "redirect", "no HTTP", "closed"],
)
def test_an_issuer_that_fails_leaves_the_known_keys_for_a_day(issuer: Issuer, clock: Clock, answer: Answering) -> None:
    keys = KeySet(issuer.url, ALGORITHM)
    good, issuer.answer = issuer.answer, answer
    clock.now += REFRESH_SECONDS
    for _ in range(10):
        assert knows(keys, "first")
    assert not knows(keys, "unknown")
    assert issuer.requests == 2  # not one for each token
    clock.now += KEPT_SECONDS - REFRESH_SECONDS - 1
    assert knows(keys, "first")
    clock.now += 1
    with pytest.raises(UnavailableError, match="too old"):
        keys.find("first")
    issuer.answer = good
    clock.now += PAUSE_SECONDS
    assert knows(keys, "first")
    with pytest.raises((MisconfiguredError, UnavailableError)):
        issuer.answer = answer
        KeySet(issuer.url, ALGORITHM)


def test_a_redirect_is_not_followed(issuer: Issuer) -> None:
    issuer.answer = issuer.body(b"", status=302, location=issuer.url + "?elsewhere")
    with pytest.raises(UnavailableError):
        KeySet(issuer.url, ALGORITHM)
    assert issuer.requests == 1


def test_an_issuer_that_sends_a_byte_at_a_time_is_given_up(issuer: Issuer) -> None:
    stop = threading.Event()

    def slowly(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not stop.wait(0.2):
            try:
                request.wfile.write(b" ")
            except OSError:
                return

    issuer.answer = slowly
    with pytest.raises(UnavailableError):  # without a limit, the test would not end
        KeySet(issuer.url, ALGORITHM)
    stop.set()


def test_an_issuer_that_is_not_there(issuer: Issuer, clock: Clock) -> None:
    keys = KeySet(issuer.url, ALGORITHM)
    issuer.server.shutdown()
    issuer.server.server_close()
    clock.now += REFRESH_SECONDS
    assert knows(keys, "first")
    with pytest.raises(UnavailableError):
        KeySet(issuer.url, ALGORITHM)


@pytest.mark.services
def test_the_service_follows_a_rotation_and_outlives_the_issuer(
    sample: Warehouse, issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_TOKEN_JWKS", issuer.url)
    with running(sample, reports_api__token_algorithm=ALGORITHM) as api:

        def status(key: Any, key_id: str) -> int:
            bearer = jwt.encode(claims(api.organization(HOSPITAL)), key, ALGORITHM, headers={"kid": key_id})
            return _status(api, bearer)

        assert (status(FIRST, "first"), status(SECOND, "second"), status(SECOND, "first")) == (200, 401, 401)
        issuer.answer = issuer.keys(second=SECOND)
        clock.now += REFRESH_SECONDS
        assert (status(SECOND, "second"), status(FIRST, "first"), status(FIRST, "second")) == (200, 401, 401)
        issuer.answer = issuer.body(b"", status=503)
        clock.now += KEPT_SECONDS - 1
        assert status(SECOND, "second") == 200
        clock.now += PAUSE_SECONDS
        assert status(SECOND, "second") == 503
        issuer.answer = issuer.keys(second=SECOND)
        clock.now += PAUSE_SECONDS
        assert status(SECOND, "second") == 200


def _status(api: Api, bearer: str) -> int:
    return api.get(f"/v1/organizations/{api.organization(HOSPITAL)}/dashboards", bearer).status
