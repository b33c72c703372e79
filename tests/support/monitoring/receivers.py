"""A webhook and a mail server that keep what they get, and can refuse it."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default

from support.http_servers import Handler, Server, serving


@dataclass
class Webhook:
    """A chat: `texts` are what it got, `status` is what it answers."""

    url: str = ""
    status: int = 200
    texts: list[str] = field(default_factory=list)


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Run a webhook for a block."""
    kept = Webhook()

    class Answer(Handler):
        def do_POST(self) -> None:  # noqa: N802 -- http.server calls it so
            assert self.headers["Content-Type"] == "application/json"
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert set(document) == {"text"}
            if kept.status < 300:
                kept.texts.append(document["text"])
            self.send_response(kept.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = Server(Answer)
    with serving(server):
        kept.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/T0/secret-part"
        yield kept


@dataclass
class MailServer:
    """A mail server of RFC 5321: `mails` are what it got.

    `farewell` is its answer to QUIT; if it `drips`, it greets with one line after another and never ends.
    """

    url: str = ""
    farewell: str = "221 bye"
    drips: bool = False
    mails: list[Message] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a mail server for a block; it offers neither TLS nor logins."""
    kept = MailServer()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while kept.drips:
                try:
                    self._say("220-wait")
                except OSError:
                    return
                time.sleep(0.05)
            self._say("220 ready")
            while line := self.rfile.readline().strip().upper():
                if line == b"DATA":
                    self._say("354 go on")
                    lines = list(iter(self.rfile.readline, b".\r\n"))
                    kept.mails.append(message_from_bytes(b"".join(lines), policy=default))
                self._say(kept.farewell if line == b"QUIT" else "250 ok")
                if line == b"QUIT":
                    return

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        kept.url = f"smtp://127.0.0.1:{server.server_address[1]}"
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()
