"""What Core Services and a proxy may answer: interim answers, failures with status 200, echoes of the token."""

from __future__ import annotations

import base64
import html
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from support.http_servers import Handler, Server, serving
from support.reviews.core_services import Behavior, CoreServices, accept, answer, make_certificate
from support.reviews.review_outbox import TOKEN, Outbox, configured
from support.reviews.review_sessions import Insights

from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError
from orchestration.reviews import core_services
from orchestration.reviews.redaction import without_secrets
from orchestration.reviews.send import SendReport

pytest_plugins = ["support.reviews.review_sessions"]


def interim(*heads: str, then: Behavior) -> Behavior:
    """Write the heads of interim answers, then answer."""

    def behavior(handler: Handler, request: object) -> None:
        for head in heads:
            handler.wfile.write(f"HTTP/1.1 {head}\r\n\r\n".encode())
        then(handler, request)  # type: ignore[arg-type]

    return behavior


@pytest.mark.services
@pytest.mark.parametrize(
    "heads",
    [
        ("102 Processing",),
        ("103 Early Hints\r\nLink: </style.css>; rel=preload",),
        ("100 Continue", "102 Processing", "103 Early Hints", "102 Processing", "199 Whatever"),
    ],
)
def test_interim_answers_are_followed_by_the_final_one(
    outbox: Outbox, core: CoreServices, settings: Settings, heads: tuple[str, ...]
) -> None:
    first, second, third = outbox.request(3)
    core.next(interim(*heads, then=accept()), interim(*heads, then=answer(422, "no such label")))
    assert outbox.send(settings, core.url) == SendReport(sent=2, failed=1)
    assert outbox.deliveries() == {
        first: ("sent", 1, "201 made"),
        second: ("failed", 1, "422 no such label"),
        third: ("sent", 1, "201 made"),
    }


@pytest.mark.services
@pytest.mark.parametrize(
    ("body", "is_sent"),
    [
        ('{"success": false, "error": {"code": "INVALID_LABEL"}}', False),
        ('{"error": "busy", "success":false}', False),
        ('\n { "success" : false, "details": "' + "x" * 100_000 + '"}', False),
        ('{"success": true}', True),
        ('{"success": "false"}', True),
        ('{"data": {"success": false}}', True),
        ('[{"success": false}]', True),
        ("[" * 60_000, True),
        ("9" * 5000, True),
        ("", True),
    ],
)
def test_a_success_that_says_that_it_is_none(
    outbox: Outbox, core: CoreServices, settings: Settings, body: str, is_sent: bool
) -> None:
    (case_id,) = outbox.request(1)
    core.always(answer(200, body))
    once = configured(settings, attempts_per_run=1, max_attempts=2)
    assert outbox.send(once, core.url) == (SendReport(sent=1) if is_sent else SendReport(pending=1))
    assert outbox.deliveries()[case_id][:2] == ("sent" if is_sent else "pending", 1)
    if not is_sent:
        assert outbox.send(once, core.url) == SendReport(failed=1)
    # A known case may be reported in the same form, with 409.
    (case_id,) = outbox.request(1)
    core.always(answer(409, '{"success": false, "error": "known"}'))
    assert outbox.send(once, core.url) == SendReport(sent=1)


def _hex_escaped(before: str, after: str = "") -> str:
    return "".join(f"{before}{ord(c):02x}{after}" for c in TOKEN)


ECHOES = {
    "plain": TOKEN,
    "upper": TOKEN.upper(),
    "json slash": TOKEN.replace("/", "\\/"),
    "json": _hex_escaped("\\u00"),
    "json in json": json.dumps(_hex_escaped("\\u00")),
    "javascript": _hex_escaped("\\x"),
    "url": quote(TOKEN, safe=""),
    "url twice": quote(quote(TOKEN, safe=""), safe=""),
    "url whole": _hex_escaped("%").upper(),
    "html": html.escape(TOKEN).replace("+", "&plus;").replace("/", "&sol;").replace("=", "&equals;"),
    "html decimal": "".join(f"&#{ord(c)};" for c in TOKEN),
    "html hexadecimal": _hex_escaped("&#x", ";"),
    "utf-16": TOKEN.encode("utf-16-le").decode(),
    "beginning": TOKEN[:17],
    "base64": base64.b64encode(TOKEN.encode()).decode(),
    "base64 of the header": base64.b64encode(f"Bearer {TOKEN}".encode()).decode(),
    "base64 after one": base64.urlsafe_b64encode(f"x{TOKEN}".encode()).decode(),
    "hexadecimal": TOKEN.encode().hex(),
}


@pytest.mark.parametrize("name", ECHOES)
def test_no_form_of_the_token_is_kept(name: str) -> None:
    found = without_secrets(f"<{ECHOES[name]}> and <{ECHOES[name]}>", [TOKEN])
    assert found.count("***") >= 2
    # Of what is left, nothing is longer than what base64 shares with its surroundings.
    assert all(len(part) <= 14 for part in found.replace("***", " ").split())


def test_what_is_no_secret_is_kept() -> None:
    text = 'made "t0ken" for that.must-stay: 100 % & more \\ <b>&amp;</b>'
    assert without_secrets(text, [TOKEN]) == text
    assert without_secrets("x" * 100_000 + TOKEN, [TOKEN, "y" * 5000]) == "x" * 100_000 + "***"


@pytest.mark.services
def test_an_echo_in_body_and_location(
    outbox: Outbox, core: CoreServices, settings: Settings, insights: Insights
) -> None:
    (case_id,) = outbox.request(1)
    # The body is read up to a limit, which may be in the middle of the token.
    echo = "".join(f"[{value}]" for value in ECHOES.values())
    core.always(answer(422, (echo + "t" * 7) * 200, Location=f"/login?token={quote(TOKEN, safe='')}"))
    assert outbox.send(settings, core.url) == SendReport(failed=1)
    _, _, said = outbox.deliveries()[case_id]
    assert said.startswith("422 /login?token=*** [***]")
    assert "t0k" not in said.lower()
    assert insights("reviews", "list").exit_code == 0


# Proxies


@dataclass
class ForwardProxy:
    """A running proxy: what was asked of it, and what it answers instead of forwarding, if anything."""

    port: int = 0
    refuses: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)


class _ProxyHandler(Handler):
    server: _ProxyServer

    def do_CONNECT(self) -> None:  # noqa: N802 - called by the base class
        """Open a tunnel."""
        host, _, port = self.path.rpartition(":")
        if self._is_refused():
            return
        with socket.create_connection((host, int(port))) as far:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(far, self.connection))
            back.start()
            _pump(self.connection, far)
            back.join()
        self.close_connection = True

    def do_POST(self) -> None:  # noqa: N802 - called by the base class
        """Forward a request for an absolute URL."""
        if self._is_refused():
            return
        host, port = self.path.split("/")[2].split(":")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = "/" + self.path.split("/", 3)[3]
        kept = "".join(f"{k}: {v}\r\n" for k, v in self.headers.items() if not k.startswith("Proxy-"))
        with socket.create_connection((host, int(port))) as far:
            far.sendall(f"POST {path} HTTP/1.1\r\n{kept}Connection: close\r\n\r\n".encode() + body)
            _pump(far, self.connection)
        self.close_connection = True

    def _is_refused(self) -> bool:
        proxy = self.server.proxy
        proxy.asked.append((f"{self.command} {self.path}", self.headers.get("Proxy-Authorization")))
        if proxy.refuses:
            self.wfile.write(f"HTTP/1.1 {proxy.refuses}\r\nContent-Length: 0\r\n\r\n".encode())
            self.cut()
        return proxy.refuses is not None


class _ProxyServer(Server):
    proxy: ForwardProxy


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def _forwarding() -> Iterator[ForwardProxy]:
    server = _ProxyServer(_ProxyHandler)
    server.proxy = ForwardProxy(server.server_port)
    with serving(server):
        yield server.proxy


@pytest.mark.services
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_of_the_environment(
    outbox: Outbox, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    both, certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    once = configured(settings, attempts_per_run=1)
    with CoreServices.started(both if scheme == "https" else None) as core, _forwarding() as proxy:
        address = core.url.split("/")[2]
        begins = f"CONNECT {address}" if scheme == "https" else f"POST {core.url}"
        monkeypatch.setenv(f"{scheme}_proxy", f"http://us%40er:pa%3Ass@127.0.0.1:{proxy.port}")
        (case_id,) = outbox.request(1)
        assert outbox.send(once, core.url) == SendReport(sent=1)
        authorization = "Basic " + base64.b64encode(b"us@er:pa:ss").decode()
        assert proxy.asked == [(begins, authorization)]
        assert core.requests[0].path == "/api/cases?from=insights"
        assert core.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
        assert "Proxy-Authorization" not in core.requests[0].headers

        # It refuses for good, for a while, and answers what no proxy should: no case is failed by it.
        for refusal, is_stop in (("407 Who", True), ("403 Never", True), ("503 Busy", False), ("502 Gone", False)):
            outbox.request(1)
            proxy.refuses = refusal
            report = outbox.send(once, core.url)
            assert (report.pending, report.failed, report.stopped is not None) == (1, 0, is_stop)
            if is_stop:
                assert refusal[:3] in str(report.stopped)
                assert "the proxy of the environment, if any" in str(report.stopped)
        assert refusal[:3] in outbox.deliveries()[case_id][2]

        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert outbox.send(once, core.url) == SendReport(sent=1)
        assert len(core.requests) == 2


@pytest.mark.parametrize("value", ["socks5://h:1", "https://u:pw@h:1", "http://", "http://h:x", "http://h:1\r\nX: y"])
def test_a_proxy_that_is_not_supported(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("all_proxy", value)
    with pytest.raises(MisconfiguredError, match=r"all_proxy must be like http://proxy\.example\.org:3128") as caught:
        core_services.CoreServices("https://core.example.org/cases", TOKEN, 1)
    assert "pw" not in str(caught.value)
    monkeypatch.setenv("no_proxy", ".example.org")
    core_services.CoreServices("https://core.example.org/cases", TOKEN, 1)


# A token without encryption
