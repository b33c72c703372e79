"""The proxy that the environment names for an address: https_proxy, http_proxy, all_proxy and no_proxy."""

from __future__ import annotations

import base64
import socket
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Literal
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from orchestration.errors import MisconfiguredError

OPENS = range(200, 300)  # what opens a tunnel


class ProxyRefusedError(HTTPException):
    """The proxy has not opened a tunnel; `status` is its answer."""

    def __init__(self, status: int, reason: str) -> None:
        """Keep the status; the text is for a person."""
        super().__init__(f"the proxy refused with {status} {reason}")
        self.status = status


@dataclass(frozen=True)
class Proxy:
    """A proxy over HTTP: its address, and the value of Proxy-Authorization, if it needs one."""

    host: str
    port: int
    authorization: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request to the proxy itself."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}

    def open_tunnel(self, connection: socket.socket, host: str, port: int) -> None:
        """Make a connection to the proxy one to a host; raises ProxyRefusedError if the proxy refuses."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *(f"{k}: {v}" for k, v in self.headers.items())]
        connection.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        # An answer to HEAD has no body either, and the server says nothing before TLS begins.
        with HTTPResponse(connection, method="HEAD") as response:
            response.begin()
            if response.status not in OPENS:
                raise ProxyRefusedError(response.status, response.reason)


def proxy_for(scheme: Literal["http", "https"], host: str, port: int) -> Proxy | None:
    """Return the proxy for an address, None if it is reached directly.

    Raises MisconfiguredError, which does not show the value, if the environment names no proxy over HTTP.
    """
    named = getproxies_environment()
    name = scheme if scheme in named else "all"
    if name not in named or proxy_bypass(f"{host}:{port}") or proxy_bypass(host):
        return None
    url = named[name]
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        address, its_port = parts.hostname, parts.port or 80
    except ValueError:
        address, its_port = None, 0
    if not address or parts.scheme != "http" or not url.isascii() or not url.isprintable() or " " in url:
        raise MisconfiguredError(
            f"The environment variable {name}_proxy must be like http://proxy.example.org:3128. Proxies over https or"
            " SOCKS are not supported; to do without one, add the host of INSIGHTS_CORE_API_URL to no_proxy."
        )
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    authorization = f"Basic {base64.b64encode(user.encode()).decode()}" if user != ":" else None
    return Proxy(address, its_port, authorization)
