"""Serves the benchmark `api`: `python -m benchmarks.api_server service PORT`, or `floor PORT FILE` with its answers."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

WITHOUT_LIMIT = 10**9  # requests of one user in a minute: the benchmark is one user of each organization


def main(kind: str, port: int, file: str = "") -> None:
    """Serve until SIGTERM."""
    if kind == "service":
        from orchestration.api.server import serve  # noqa: PLC0415 - the floor has none of it
        from orchestration.config.files import load_settings  # noqa: PLC0415

        settings = load_settings()
        rules = settings.insights.reports_api.model_copy(update={"port": port, "requests_per_minute": WITHOUT_LIMIT})
        insights = settings.insights.model_copy(update={"reports_api": rules})
        serve(dataclasses.replace(settings, insights=insights))
        return
    bodies = {path: body.encode() for path, body in json.loads(Path(file).read_text("utf-8")).items()}

    async def answer(request: Request) -> Response:
        return Response(bodies[f"{request.url.path}?{request.url.query}"], media_type="application/json")

    uvicorn.run(Starlette(routes=[Route("/{path:path}", answer)]), port=port, http="h11", access_log=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
