"""Fixtures: a service whose page has links into Orgo, the pages elsewhere that may log in on it, and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser
from support.api.server import Api, running
from support.api.tokens import SECRET
from support.http_servers import Handler, Server, serving
from support.page.browser import playing
from support.warehouse import Warehouse

from workshop.services import LocalRedis

CASES, TASKS = "https://orgo.example.org/cases/{case_id}", "https://orgo.example.org/tasks/{task_id}?from=insights"
LINKS: dict[str, Any] = {"reports_api__case_link": CASES, "reports_api__task_link": TASKS}
MANY: dict[str, Any] = {"reports_api__requests_per_minute": 1_000_000}


class Elsewhere(Handler):
    """Another site: an empty page."""

    def do_GET(self) -> None:  # noqa: N802 - the library's name
        """Answer an empty page."""
        body = b"<!doctype html><html lang=en><title>Elsewhere</title></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def orgo() -> Iterator[str]:
    """Yield the origin of a site that may frame the page and hand it tokens."""
    yield from _site()


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    """Yield the origin of a site that may not."""
    yield from _site()


def _site() -> Iterator[str]:
    server = Server(Elsewhere)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture(scope="module")
def api(sample: Warehouse, redis_of_module: LocalRedis, orgo: str) -> Iterator[Api]:
    """Yield a running service that knows Orgo's address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
        with running(sample, redis_of_module, reports_api__cors_origins=[orgo], **LINKS, **MANY) as made:
            yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a running Chromium."""
    with playing() as made:
        yield made
