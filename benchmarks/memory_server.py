"""The floor of the service: the same HTTP server, whose handler returns bytes that it has in memory.

`python -m benchmarks.memory_server PORT FILE`; the file is a JSON object of addresses and their bodies.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


def application(bodies: dict[str, bytes]) -> ASGIApp:
    """Return an application that knows these answers."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            body = bodies.get(f"{request.url.path}?{request.url.query}")
            await Response(body, 200 if body is not None else 404, media_type="application/json")(scope, receive, send)

    return answer


def main(port: int, path: Path) -> None:
    """Serve the answers of a file until a signal ends it."""
    texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    bodies = {address: text.encode() for address, text in texts.items()}
    uvicorn.run(application(bodies), port=port, http="h11", lifespan="off", access_log=False, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
