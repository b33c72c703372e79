"""The servers of the cache: one Redis, the one that Sentinels name, or those of a Cluster, asked in the same way."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import Connection, SSLConnection
from redis.exceptions import ClusterDownError, MovedError, RedisClusterException
from redis.retry import Retry
from redis.sentinel import Sentinel

from orchestration.cache.addresses import Address, parse

# What a server that is away raises, and a Cluster without a node that answers.
FAULTS = (redis.RedisError, RedisClusterException, OSError)
_OF_POOLS = ("max_connections",)  # options that are not those of a connection


@dataclass(frozen=True)
class Command:
    """One command on keys of one group, with the key that decides which server has them.

    `options` are those with which redis-py reads the response.
    """

    key: str
    arguments: tuple[str | bytes | int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def script(cls, text: str, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Command:
        """Return the command that runs a script; all its keys are of one group.

        It sends the text each time, so that no server needs to know the script: one that has just become the primary
        does not.
        """
        return cls(keys[0], ("EVAL", text, len(keys), *keys, *arguments))


class Servers(ABC):
    """What holds the cache. Safe to share between threads; connects when it is first asked."""

    kind: Literal["server", "sentinel", "cluster"]

    @abstractmethod
    def execute(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one round trip to each server concerned, and return the response or error of each.

        Raises one of FAULTS if a server is away, whatever the others responded.
        """

    @abstractmethod
    def facts(self) -> list[Mapping[str, Any]]:
        """Return what each server that holds entries, and is no replica, says of itself; raises like `execute`."""

    @abstractmethod
    def close(self) -> None:
        """Close the connections."""


def open_servers(url: str, timeout_seconds: float) -> Servers:
    """Return the servers of an address without connecting; no call is tried twice or takes longer than the limit.

    The first call after a fail-over also asks the Sentinels, or a node of the Cluster, each for the same time at most.
    Raises ValueError for an address that is invalid, and TypeError, ValueError or RedisError for an option that
    redis-py does not take.
    """
    limits = {"socket_timeout": timeout_seconds, "socket_connect_timeout": timeout_seconds}
    address = parse(url)
    if address is None:
        client = redis.Redis.from_url(url, **limits, retry=Retry(NoBackoff(), 0), health_check_interval=0)
        return _Client("server", client)
    if address.kind == "cluster":
        return _Cluster(address, limits)
    once = limits | {"retry": Retry(NoBackoff(), 0), "health_check_interval": 0}
    sentinels = Sentinel(address.hosts, sentinel_kwargs=once | dict(address.sentinel_options))  # type: ignore[no-untyped-call]
    return _Client("sentinel", sentinels.master_for(address.service, **once | dict(address.options)), sentinels)  # type: ignore[no-untyped-call]


class _Client(Servers):
    """One server; if Sentinels watch it, each new connection asks them which."""

    def __init__(self, kind: Literal["server", "sentinel"], client: redis.Redis, sentinels: Sentinel | None = None):
        self.kind = kind
        self._client = client
        self._sentinels = sentinels
        # redis-py checks most options only when it makes a connection.
        client.connection_pool.connection_class(**client.connection_pool.connection_kwargs)

    def execute(self, commands: Sequence[Command]) -> list[Any]:
        return _respond(self._client, commands)

    def facts(self) -> list[Mapping[str, Any]]:
        return [cast(Mapping[str, Any], self._client.info())]

    def close(self) -> None:
        self._client.close()
        for sentinel in self._sentinels.sentinels if self._sentinels else ():
            sentinel.close()


class _Cluster(Servers):
    """The nodes of a Cluster. Which node has which keys is learned again after an error."""

    kind = "cluster"

    def __init__(self, address: Address, limits: Mapping[str, Any]):
        self._address = address
        self._options = {**limits, **address.options}
        self._lock = threading.Lock()
        self._cluster: RedisCluster | None = None
        self._is_outdated = False
        of_connections = {k: v for k, v in self._options.items() if k not in (*_OF_POOLS, "ssl")}
        (SSLConnection if "ssl" in self._options else Connection)(**of_connections)

    def execute(self, commands: Sequence[Command]) -> list[Any]:
        try:
            responses = self._by_node(commands)
            moved = [place for place, response in enumerate(responses) if isinstance(response, MovedError)]
            if moved:
                self._is_outdated = True
                again = self._by_node([commands[place] for place in moved])
                for place, response in zip(moved, again, strict=True):
                    responses[place] = response
        except FAULTS:
            self._is_outdated = True
            raise
        return responses

    def facts(self) -> list[Mapping[str, Any]]:
        cluster = self._connected()
        return [cast(Mapping[str, Any], _node(cluster, node).info()) for node in cluster.get_primaries()]  # type: ignore[no-untyped-call]

    def close(self) -> None:
        if self._cluster:
            self._cluster.close()

    def _by_node(self, commands: Sequence[Command]) -> list[Any]:
        cluster = self._connected()
        nodes = [cast(ClusterNode, cluster.get_node_from_key(command.key)) for command in commands]  # type: ignore[no-untyped-call]
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, node in enumerate(nodes):
            places[node.name].append(place)
        responses: list[Any] = [None] * len(commands)
        for own in places.values():
            found = _respond(_node(cluster, nodes[own[0]]), [commands[place] for place in own])
            for place, response in zip(own, found, strict=True):
                if isinstance(response, ClusterDownError):
                    raise response
                responses[place] = response
        return responses

    def _connected(self) -> RedisCluster:
        with self._lock:
            if self._cluster is None:
                hosts = [ClusterNode(host, port) for host, port in self._address.hosts]  # type: ignore[no-untyped-call]
                self._cluster = RedisCluster(startup_nodes=hosts, retry=Retry(NoBackoff(), 0), **self._options)
            elif self._is_outdated:
                self._cluster.nodes_manager.initialize()
            self._is_outdated = False
            return self._cluster


def _node(cluster: RedisCluster, node: ClusterNode) -> redis.Redis:
    return cluster.get_redis_connection(node)


def _respond(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command.arguments, **command.options)  # type: ignore[no-untyped-call]
    return pipeline.execute(raise_on_error=False)
