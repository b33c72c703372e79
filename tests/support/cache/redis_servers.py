"""Redis servers on ports of 127.0.0.1 for one test: alone, with TLS and users, under Sentinels, or as a Cluster."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from support.api.server import free_port

from workshop.services import binaries

SERVICE = "insights"
SECONDS = 300
SLOTS = 16384
# A server that does not answer for this long has failed. On a busy machine one that is well is silent for seconds.
SOON, LATE = 1000, 600_000


@dataclass
class Node:
    """One process and its port. `secrets` are parameters for a client of this process."""

    port: int
    process: subprocess.Popen[bytes]
    secrets: Mapping[str, Any] = field(default_factory=dict)

    def client(self) -> Any:
        """Return a `redis.Redis` that waits for a busy machine; Any, because redis-py's responses have many types."""
        once = Retry(NoBackoff(), 0)
        return redis.Redis("127.0.0.1", self.port, socket_timeout=SECONDS, retry=once, **self.secrets)

    def is_primary(self) -> bool:
        """Return whether it has been promoted; Sentinel ends all connections to it in the middle of that."""
        try:
            return bool(self.client().info()["role"] == "master")
        except redis.ConnectionError:
            return False

    def kill(self) -> None:
        """End the process at once, as a crash does."""
        self.process.kill()
        self.process.wait()


@dataclass
class Servers:
    """The processes of one test."""

    folder: Path
    nodes: list[Node] = field(default_factory=list)

    def start(self, *lines: str, sentinel: bool = False, secrets: Mapping[str, Any] | None = None) -> Node:
        """Start a server, or a Sentinel, with these lines of configuration, and wait until it answers.

        Another process may take its port before it does; it then gets another one.
        """
        while True:
            port = free_port()
            place = self.folder / str(port)
            place.mkdir()
            log = place / "log"
            process = subprocess.Popen(
                [binaries.redis_program(), _config(place, port, lines, sentinel), *["--sentinel"][:sentinel]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            node = Node(port, process, secrets or {})
            self.nodes.append(node)
            wait_until(lambda: process.poll() is not None or _answers(node), lambda: log.read_text()[-2000:])  # noqa: B023
            if process.poll() is None:
                return node
            said = log.read_text()
            if "Failed finding TLS support" in said:
                pytest.skip("the Redis here is built without TLS, as that of the wheels is")
            assert "Address already in use" in said, said[-2000:]

    def stop(self) -> None:
        """End all processes."""
        for node in self.nodes:
            node.kill()


def _config(place: Path, port: int, lines: tuple[str, ...], sentinel: bool) -> Path:
    """Write the configuration of a server; returns the file."""
    config = place / "redis.conf"
    base = [f"dir {place}", "bind 127.0.0.1", f"logfile {place / 'log'}"]
    base += [] if any(line.startswith("tls-port") for line in lines) else [f"port {port}"]
    base += [] if sentinel else ['save ""', "appendonly no", "maxmemory 64mb", "maxmemory-policy allkeys-lru"]
    # By default 10,000 more than the port, which may be more than there are.
    base += [f"cluster-port {free_port()}"] if "cluster-enabled yes" in lines else []
    config.write_text("\n".join([*base, *(line.replace("PORT", str(port)) for line in lines)]) + "\n")
    return config


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Yield a place to start servers in, and stop them at the end."""
    started = Servers(folder)
    try:
        yield started
    finally:
        started.stop()


def wait_until(is_so: Callable[[], bool], says: Callable[[], object] = lambda: "") -> None:
    """Wait until a condition holds; fails after five minutes."""
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, says()
        time.sleep(0.05)


def watched(started: Servers) -> tuple[Node, Node, list[Node], str]:
    """Start a primary, its replica and three Sentinels; returns them and the address of the cache.

    The Sentinels replace a server that has failed after `expect_failures`.
    """
    primary = started.start()
    replica = started.start(f"replicaof 127.0.0.1 {primary.port}", "repl-diskless-sync-delay 0")
    wait_until(lambda: replica.client().info()["master_link_status"] == "up")
    rules = (
        f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} 2",
        f"sentinel down-after-milliseconds {SERVICE} {LATE}",
        f"sentinel failover-timeout {SERVICE} 5000",
    )
    sentinels = [started.start(*rules, sentinel=True) for _ in range(3)]
    for one in sentinels:
        wait_until(lambda one=one: _knows_all(one.client()))  # type: ignore[misc]
    hosts = ",".join(f"127.0.0.1:{one.port}" for one in sentinels)
    return primary, replica, sentinels, f"redis+sentinel://{hosts}/{SERVICE}/1"


def expect_failures(sentinels: list[Node]) -> None:
    """Let Sentinels replace a primary that does not answer, as they do in production."""
    for one in sentinels:
        one.client().execute_command("SENTINEL", "SET", SERVICE, "down-after-milliseconds", SOON)


def _knows_all(sentinel: Any) -> bool:
    state: dict[str, Any] = sentinel.sentinel_master(SERVICE)
    return (state["num-other-sentinels"], state["num-slaves"]) == (2, 1)


def cluster(started: Servers, *lines: str) -> tuple[list[Node], str]:
    """Start three primaries with a third of the slots each, and a replica of each; returns them and the address.

    They keep their roles until `take_over` or `hand_over`: no replica replaces a primary that is only slow.
    """
    common = ("cluster-enabled yes", f"cluster-node-timeout {SOON}", "repl-diskless-sync-delay 0")
    steady = ("cluster-replica-no-failover yes", "cluster-replica-validity-factor 0")
    nodes = [started.start(*common, *steady, *lines) for _ in range(6)]
    primaries, replicas = nodes[:3], nodes[3:]
    for number, node in enumerate(primaries):
        first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
        node.client().execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        node.client().execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for node in nodes[1:]:
        bus = int(str(node.client().config_get("cluster-port")["cluster-port"]))
        nodes[0].client().execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
    for node in nodes:
        wait_until(lambda node=node: len(_known(node)) == len(nodes))  # type: ignore[misc]
    for primary, replica in zip(primaries, replicas, strict=True):
        identity = str(primary.client().execute_command("CLUSTER", "MYID"), "ascii")
        wait_until(lambda i=identity, r=replica: _replicates(r, i))  # type: ignore[misc]
    for node in nodes:
        wait_until(lambda node=node: _is_whole(node))  # type: ignore[misc]
    for node in nodes:  # which have exchanged all that they need to know
        node.client().config_set("cluster-node-timeout", LATE)
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes[:2])
    return nodes, f"redis+cluster://{hosts}"


def take_over(nodes: list[Node]) -> None:
    """Let the replicas of a Cluster replace a primary that does not answer, as they do in production."""
    for node in nodes:
        node.client().config_set("cluster-replica-no-failover", "no")
        node.client().config_set("cluster-node-timeout", SOON)


def hand_over(primary: Node, replica: Node) -> None:
    """Let a replica and its primary change places; a Cluster gives that up after five seconds."""
    asked = 0.0

    def is_done() -> bool:
        nonlocal asked
        if replica.client().info()["role"] == "master":
            return bool(primary.client().info()["role"] == "slave")
        if time.monotonic() > asked + 10:
            asked = time.monotonic()
            replica.client().execute_command("CLUSTER", "FAILOVER")
        return False

    wait_until(is_done)


def _known(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = node.client().execute_command("CLUSTER NODES")
    return found


def _replicates(node: Node, primary: str) -> bool:
    try:
        node.client().execute_command("CLUSTER", "REPLICATE", primary)
    except redis.ResponseError:  # it does not know the primary as one yet
        return False
    return True


def _is_whole(node: Node) -> bool:
    state: dict[str, Any] = node.client().execute_command("CLUSTER INFO")
    replication: dict[str, Any] = node.client().info("replication")
    linked = (
        replication["connected_slaves"]
        if replication["role"] == "master"
        else replication["master_link_status"] == "up"
    )
    return state["cluster_state"] == "ok" and bool(linked)


def certificate(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Make a certificate for 127.0.0.1, its own root; returns its file, and lines for servers that speak only TLS."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate can be made")
    key, made = folder / "server.key", folder / "server.crt"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    done = subprocess.run([*command, *names, "-keyout", key, "-out", made], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = (f"tls-cert-file {made}", f"tls-key-file {key}", f"tls-ca-cert-file {made}", "tls-auth-clients no")
    return made, ("port 0", "tls-port PORT", *files)


def _answers(node: Node) -> bool:
    try:
        return bool(node.client().ping())
    except redis.ResponseError as error:
        return "NOAUTH" in str(error) or "NOPERM" in str(error)
    except redis.AuthenticationError:
        return True
    except redis.RedisError:
        return False
