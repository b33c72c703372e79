"""The address of the cache: one Redis, one that Sentinels watch, or a Redis Cluster (decision D236).

    redis://[user:password@]host[:port][/db][?option=value]                    one server; rediss:// with TLS
    unix://[user:password@]/path[?db=0]                                        one server on this machine
    redis+sentinel://[user:password@]host[:port][,host...]/service[/db][?...]  the hosts are Sentinels
    redis+cluster://[user:password@]host[:port][,host...][?...]                the hosts are some nodes of the Cluster

Options are those of redis-py's connections, and `sentinel_username` and `sentinel_password` for the Sentinels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from redis.connection import parse_url

FORMS = (
    "redis://:password@host:6379/1, redis+sentinel://:password@host:26379,host:26379/service/1"
    " or redis+cluster://:password@host:6379,host:6379; rediss in place of redis for TLS"
)
OF_SENTINELS = "sentinel_"
DEFAULT_PORTS = {"sentinel": 26379, "cluster": 6379}


@dataclass(frozen=True)
class Address:
    """An address with several hosts: Sentinels, which know the server of `service`, or nodes of a Cluster.

    `options` are parameters of redis-py's connections to servers, `sentinel_options` of those to Sentinels.
    """

    kind: Literal["sentinel", "cluster"]
    hosts: tuple[tuple[str, int], ...]
    service: str
    options: Mapping[str, Any]
    sentinel_options: Mapping[str, Any]


def parse(url: str) -> Address | None:
    """Return the parts of an address with several hosts; None for the address of one server, which redis-py reads.

    Raises ValueError for an address that has none of these forms.
    """
    scheme, _, rest = url.partition("://")
    protocol, _, kind = scheme.lower().partition("+")
    if not kind:
        return None
    if protocol not in ("redis", "rediss") or kind not in ("sentinel", "cluster"):
        raise ValueError("the scheme is unknown")
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    user, _, listed = authority.rpartition("@")
    hosts = tuple(_host(one, DEFAULT_PORTS[kind]) for one in listed.split(","))
    # redis-py reads user and options, as it does of the address of one server; the host is never used.
    given = parse_url(f"redis://{f'{user}@' if user else ''}localhost?{query}")  # type: ignore[no-untyped-call]
    own = {name: value for name, value in given.items() if name.startswith(OF_SENTINELS)}
    options = {name: value for name, value in given.items() if name != "host" and name not in own}
    options |= {"ssl": True} if protocol == "rediss" else {}
    shared = {name: value for name, value in options.items() if name.startswith(("ssl", "socket_"))}
    of_sentinels = shared | {name.removeprefix(OF_SENTINELS): value for name, value in own.items()}
    parts = [unquote(part) for part in path.split("/") if part]
    if kind == "cluster":
        if parts or own or options.get("db"):
            raise ValueError("a Cluster has neither a service nor a numbered database")
        return Address("cluster", hosts, "", {k: v for k, v in options.items() if k != "db"}, {})
    if not parts or len(parts) > len(("service", "db")):
        raise ValueError("the name of the service is missing")
    options |= {"db": int(parts[1])} if parts[1:] else {}
    return Address("sentinel", hosts, parts[0], options, of_sentinels)


def _host(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.path or parts.query or "@" in text:
        raise ValueError("a host is missing")
    return unquote(parts.hostname), parts.port or default_port
