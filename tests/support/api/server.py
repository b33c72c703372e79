"""A running reporting service: uvicorn in a thread, over a copy of the built sample and a Redis of its own."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from support.api.tokens import token
from support.dashboards.dashboard_scenario import ACCESS, found
from support.dashboards.dashboard_settings import changed
from support.policy import manifest
from support.warehouse import Warehouse

from orchestration.api.gateway import Gateway
from orchestration.api.limits import RequestLimit
from orchestration.api.server import server
from orchestration.api.service import Service, limited_settings
from orchestration.api.tokens import Verifier
from orchestration.config.files import Settings
from orchestration.dashboards.reader import Reader
from orchestration.dashboards.warehouse import Warehouse as ReadWarehouse
from orchestration.exports.definitions import definitions
from workshop.services import LocalRedis

# A busy machine is no fault: shipped are 200 ms for Redis and 1.3 s for a statement.
PATIENT: dict[str, Any] = {
    "cache.timeout_ms": 60_000,
    "reports_api.timeout_ms": 60_000,
    "reports_api.busy_ms": 60_000,
    "reports_api.recent_ms": 0,  # tests change what the answers are of
}
ROLES = {"reports_api.superuser_roles": ["operator"]}
CLIENT_SECONDS = 120


@dataclass(frozen=True)
class Got:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Api:
    """One running service."""

    service: Service
    uvicorn: uvicorn.Server
    warehouse: Warehouse

    @property
    def port(self) -> int:
        """The port on which it listens."""
        port: int = self.uvicorn.servers[0].sockets[0].getsockname()[1]
        return port

    def organization(self, slug: str) -> str:
        """Return the id of an organization of the sample."""
        return str(self.warehouse.value("select id from organizations where slug = %s", slug))

    def get(self, path: str, bearer: str | None = None, method: str = "GET", **headers: str) -> Got:
        """Send one request on a connection of its own; in names of headers `_` stands for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CLIENT_SECONDS)
        try:
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            return Got(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def ask(self, slug: str, dashboard: str, query: str = "", roles: tuple[str, ...] = ("teacher",)) -> Got:
        """Ask for a dashboard as a user of the organization."""
        id_ = self.organization(slug)
        return self.get(f"/v1/organizations/{id_}/dashboards/{dashboard}{query}", token(id_, roles=list(roles)))


@contextmanager
def running(
    warehouse: Warehouse,
    redis: LocalRedis | None = None,
    url: str | None = None,
    trusts_gateway: bool = False,
    **values: Any,
) -> Iterator[Api]:
    """Run a service for a block; `values` are settings, a dot written as two underscores."""
    cache = {"cache.url": redis.url()} if redis else {}
    given = {key.replace("__", "."): value for key, value in values.items()}
    settings = changed(warehouse.settings, ACCESS | PATIENT | ROLES | cache | {"reports_api.port": 0} | given)
    service = of(settings, url or warehouse.reader_url, trusts_gateway)
    with serving(service) as made:
        yield Api(service, made, warehouse)


@contextmanager
def serving(service: Service) -> Iterator[uvicorn.Server]:
    """Serve for a block, in a thread."""
    made = server(service)
    thread = threading.Thread(target=made.run)
    thread.start()
    while not made.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield made
    finally:
        made.should_exit = True
        thread.join()


def free_port() -> int:
    """Return a port on which nothing listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def of(settings: Settings, url: str, trusts_gateway: bool = False) -> Service:
    """Return a service on a database."""
    limited = limited_settings(settings)
    rules = settings.insights.reports_api
    limit = RequestLimit(rules.requests_per_minute)
    authenticator = Gateway(settings) if trusts_gateway else Verifier(settings)
    reader = Reader(limited, found(), ReadWarehouse(limited, url))
    return Service(limited, reader, authenticator, {}, limit, definitions(manifest()))
