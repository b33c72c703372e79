"""A webhook for digests: keeps what it gets, and can refuse it, echo it, or kill its sender before it answers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from support.http_servers import Handler, Server, serving

SECRET_PART = "/hooks/T0/a-secret-part"  # noqa: S105 -- of the tests' own server


@dataclass
class Receiver:
    """A chat. `got` are the ids and documents that it got; `status` and `says` are its answer."""

    url: str = ""
    status: int = 200
    says: str = ""
    kills: int | None = None
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a webhook for a block."""
    kept = Receiver()

    class Answer(Handler):
        def do_POST(self) -> None:  # noqa: N802 -- http.server calls it so
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kept.got.append((self.headers["Idempotency-Key"], document))
            if kept.kills is not None:
                os.kill(kept.kills, signal.SIGKILL)
                self.cut()
                return
            body = kept.says.encode()
            self.send_response(kept.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = Server(Answer)
    with serving(server):
        kept.url = f"http://127.0.0.1:{server.server_address[1]}{SECRET_PART}"
        yield kept
