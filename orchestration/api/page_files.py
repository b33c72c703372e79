"""The page: its files, read once, and the headers that bound what a browser does with them (decision D189)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.api.answers import JSON, document
from orchestration.api.service import Service

Endpoint = Callable[[Request], Awaitable[Response]]

FILES = Path(__file__).with_name("page")
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing but our own files and answers; a text that became markup by mistake would not run.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'none'; require-trusted-types-for 'script'; frame-ancestors {ancestors}"
)


def page_routes(service: Service) -> list[Route]:
    """Return the routes of the page: `/`, its files below `/page`, and what it must know before anybody logs in."""
    origins = service.settings.insights.reports_api.cors_origins
    headers = {
        "Content-Security-Policy": POLICY.format(ancestors=" ".join(origins) or "'none'"),
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-cache",
    }
    return [
        Route("/page/settings.json", _settings(service, headers)),
        *(Route(path, _fixed(content, media_type, headers)) for path, content, media_type in _files()),
    ]


def _files() -> Iterator[tuple[str, bytes, str]]:
    """Yield the path, content and media type of each file."""
    for file in sorted(FILES.rglob("*")):
        if media_type := MEDIA_TYPES.get(file.suffix):
            name = file.relative_to(FILES).as_posix()
            yield "/" if name == "index.html" else f"/page/{name}", file.read_bytes(), media_type


def _settings(service: Service, headers: dict[str, str]) -> Endpoint:
    rules = service.settings.insights.reports_api
    known = {
        "needs_token": "bearer" in service.authenticator.security,
        "token_origins": rules.cors_origins,
        "links": {"case_id": rules.case_link, "task_id": rules.task_link},
    }
    return _fixed(document(known).body, JSON, headers)


def _fixed(body: bytes, media_type: str, headers: dict[str, str]) -> Endpoint:
    """Return an endpoint that always answers the same, and 304 to a browser that has it."""
    own = headers | {"ETag": f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'}

    async def answer(request: Request) -> Response:
        if own["ETag"] in request.headers.get("if-none-match", ""):
            return Response(None, 304, own)
        return Response(body, 200, own, media_type)

    return answer
