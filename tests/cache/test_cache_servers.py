"""The cache behind Sentinels, in a Cluster, with TLS and a user of its own; each with real servers that fail."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from redis.exceptions import NoPermissionError
from support.cache.redis_servers import (
    Node,
    Servers,
    certificate,
    cluster,
    expect_failures,
    hand_over,
    servers,
    take_over,
    wait_until,
    watched,
)
from support.dashboards.cached_answers import OVERVIEW, ROLES, outcome
from support.dashboards.dashboard_scenario import PATIENT, open_reader
from support.dashboards.dashboard_settings import changed
from support.warehouse import Warehouse

from orchestration.cache.keys import Group
from orchestration.cache.servers import open_servers
from orchestration.cache.store import Store
from orchestration.config.files import load_settings
from orchestration.dashboards.warm import warm
from orchestration.monitoring.collector import Metrics
from orchestration.monitoring.doctor import examine

pytestmark = pytest.mark.services
pytest_plugins = ["support.dashboards.cache_sessions"]

# The user that docs/deployment/hosts.md gives the cache.
USER = (
    "user insights on >of-insights resetchannels ~insights:* -@all +@read +@write +@connection -@dangerous +eval +info"
)
OF_CLUSTERS = "+cluster|slots +command"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Servers]:
    with servers(tmp_path) as started:
        yield started


def _days(number: int) -> object:
    return dataclasses.replace(OVERVIEW, parameters={"days": number})


def _fail_over(warehouse: Warehouse, url: str, fail: Callable[[], None], replica: Node) -> Counter[str]:
    """Ask with three threads while a server fails, until its replica has hits; returns the outcomes.

    Fails if an answer has another body than one that was computed without a cache.
    """
    questions = [dataclasses.replace(OVERVIEW, parameters={"days": days}) for days in (3, 7, 14)]
    with closing(open_reader(warehouse)) as alone:
        right = {q.parameters["days"]: alone.ask(q, ROLES).entry.body for q in questions}
    reader = open_reader(warehouse, cache__url=url, cache__pause_seconds=0.2)
    for question in questions:
        assert [reader.ask(question, ROLES).outcome for _ in range(2)] == ["misses", "hits"]
    is_ended, outcomes, wrong = threading.Event(), Counter[str](), list[object]()

    def ask(question: object) -> None:
        while not is_ended.is_set():
            answer = reader.ask(question, ROLES)  # type: ignore[arg-type]
            outcomes[answer.outcome] += 1
            if answer.entry.body != right[question.parameters["days"]]:  # type: ignore[attr-defined]
                wrong.append(answer)

    threads = [threading.Thread(target=ask, args=[question]) for question in questions]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: outcomes["hits"] > 20)
        fail()
        wait_until(replica.is_primary, lambda: outcomes)
        before = outcomes["hits"]
        wait_until(lambda: outcomes["hits"] > before + 60, lambda: outcomes)
    finally:
        is_ended.set()
        for thread in threads:
            thread.join()
        reader.close()
    assert wrong == []
    return outcomes


def test_a_fail_over_of_sentinels_costs_no_answer(
    warehouse: Warehouse, place: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, replica, sentinels, url = watched(place)
    with closing(open_reader(warehouse, cache__url=url)) as reader:
        outcome(reader)
        reader.answers.counters.send()
    _seen_by_operators(warehouse, url, monkeypatch, {"cache": "Redis", "cache replicas": "each primary has one"})
    primary.client().flushall()
    group = Group("dev", "overview")
    with closing(redis.Redis(port=replica.port, db=1)) as new:

        def fail() -> None:
            wait_until(lambda: new.zcard(group.index) == 3)
            primary.kill()
            expect_failures(sentinels)

        outcomes = _fail_over(warehouse, url, fail, replica)
        assert outcomes["bypassed"] > 0
        assert replica.client().exists(group.index) == 0, "the entries are in database 1"
        assert new.zcard(group.index) == 3


def test_a_fail_over_of_a_cluster_costs_no_answer(warehouse: Warehouse, place: Servers) -> None:
    nodes, url = cluster(place)
    index = Group("dev", "overview").index
    owner = _owner(nodes[:3], index)
    replica = nodes[3 + nodes.index(owner)]

    def fail() -> None:
        # A replica shows its entries only to a client that says that it only reads.
        wait_until(lambda: replica.client().dbsize() == owner.client().dbsize() and owner.client().zcard(index) == 3)
        owner.kill()
        take_over([node for node in nodes if node is not owner])

    outcomes = _fail_over(warehouse, url, fail, replica)
    assert outcomes["bypassed"] > 0
    assert replica.client().zcard(index) == 3


def test_a_cluster_holds_all_that_one_server_holds(
    warehouse: Warehouse, place: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes, url = cluster(place)
    with closing(open_reader(warehouse, cache__url=url)) as reader:
        report = warm(reader, warehouse.settings)
        assert report.is_whole
        assert [outcome(reader) for _ in range(2)] == ["hits", "hits"]
        reader.answers.counters.send()
        assert reader.store
        assert reader.store.counters("dev")["overview:hits"] == 2
        asked = reader.store.most_requested(Group("dev", "overview"), _now(nodes[0]))
        assert [number for _, number in asked] == [2]
        names = {"overview", *reader.dashboards}
    slots = {_owner(nodes[:3], Group("dev", name).index).port for name in names}
    assert len(slots) > 1, "the dashboards are on several nodes"
    held = [node.client().dbsize() for node in nodes[:3]]
    assert all(held[[n.port for n in nodes].index(port)] for port in slots)
    _seen_by_operators(warehouse, url, monkeypatch, {"cache": "3 primaries", "cache replicas": "each primary has one"})

    moved = _owner(nodes[:3], Group("dev", "overview").index)
    with closing(open_reader(warehouse, cache__url=url)) as reader:
        assert outcome(reader) == "hits"
        hand_over(moved, nodes[3 + nodes.index(moved)])
        assert outcome(reader) == "hits", "the answer of a node that has lost its keys says where they are"


def test_tls_and_a_user_of_its_own(warehouse: Warehouse, place: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    root, lines = certificate(place.folder)
    trusted = {"ssl": True, "ssl_ca_certs": str(root)}
    node = place.start(*lines, "user default off", USER, secrets=trusted)
    url = f"rediss://insights:of-insights@127.0.0.1:{node.port}/0?ssl_ca_certs={root}"
    with closing(open_reader(warehouse, cache__url=url)) as reader:
        assert [outcome(reader) for _ in range(2)] == ["misses", "hits"]
        assert warm(reader, warehouse.settings).is_whole
    _seen_by_operators(warehouse, url, monkeypatch, {"cache": "Redis"})
    for wrong in (
        url.replace(":of-insights", ":of-others"),
        url.partition("?")[0],  # nobody vouches for the certificate
        url.replace("rediss:", "redis:"),
        url.replace("127.0.0.1", "localhost"),  # not the name in the certificate
    ):
        with closing(open_reader(warehouse, cache__url=wrong)) as reader:
            assert outcome(reader) == "bypassed", wrong
    user = Node(node.port, node.process, {**trusted, "username": "insights", "password": "of-insights"})
    with closing(user.client()) as client:
        for forbidden in (("GET", "orders:1"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*")):
            with pytest.raises(NoPermissionError):
                client.execute_command(*forbidden)


def test_sentinels_and_a_cluster_with_passwords_and_tls(warehouse: Warehouse, place: Servers) -> None:
    root, lines = certificate(place.folder)
    trusted = {"ssl": True, "ssl_ca_certs": str(root), "password": "of-all"}
    primary = place.start(*lines, "requirepass of-all", USER, secrets=trusted)
    sentinel = place.start(
        *(*lines, "requirepass of-all", "tls-replication yes", f"sentinel monitor insights 127.0.0.1 {primary.port} 1"),
        "sentinel auth-pass insights of-all",
        sentinel=True,
        secrets=trusted,
    )
    url = f"rediss+sentinel://insights:of-insights@127.0.0.1:{sentinel.port}/insights?ssl_ca_certs={root}"
    for given, expected in ((f"{url}&sentinel_password=of-all", ["misses", "hits"]), (url, ["bypassed", "bypassed"])):
        with closing(open_reader(warehouse, cache__url=given)) as reader:
            assert [outcome(reader) for _ in range(2)] == expected

    one = place.start(
        *lines, "cluster-enabled yes", "tls-cluster yes", f"{USER} {OF_CLUSTERS}", secrets={**trusted, "password": None}
    )
    one.client().execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    wait_until(lambda: one.client().execute_command("CLUSTER INFO")["cluster_state"] == "ok")
    url = f"rediss+cluster://insights:of-insights@127.0.0.1:{one.port}?ssl_ca_certs={root}"
    with closing(open_reader(warehouse, cache__url=url)) as reader:
        assert [outcome(reader) for _ in range(2)] == ["misses", "hits"]


def test_nobody_there_costs_no_answer_either(warehouse: Warehouse) -> None:
    for url in ("redis+sentinel://127.0.0.1:1,127.0.0.1:2/insights", "redis+cluster://127.0.0.1:1,127.0.0.1:2"):
        with closing(open_reader(warehouse, cache__url=url)) as reader:
            assert [outcome(reader) for _ in range(2)] == ["bypassed"] * 2


def _owner(nodes: list[Node], key: str) -> Node:
    """Return the node that has a key, as the servers say."""
    slot = nodes[0].client().execute_command("CLUSTER", "KEYSLOT", key)
    return nodes[next(number for number in range(3) if slot < 16384 * (number + 1) // 3)]


def _now(node: Node) -> float:
    seconds, _ = node.client().time()
    return float(seconds)


def _seen_by_operators(
    warehouse: Warehouse, url: str, monkeypatch: pytest.MonkeyPatch, expected: dict[str, str]
) -> None:
    """Ask `insights doctor` and the exporter about the cache."""
    with monkeypatch.context() as patch:
        patch.setenv("INSIGHTS_WAREHOUSE_URL", warehouse.etl_url)
        patch.setenv("INSIGHTS_REDIS_URL", url)
        settings = changed(load_settings(), PATIENT)
        findings = {finding.check: finding for finding in examine(settings)}
        up = [s.value for m in Metrics(settings, {}).collect() if m.name == "insights_redis_up" for s in m.samples]
    for check, says in expected.items():
        assert findings[check].state == "ok"
        assert says in findings[check].says
    assert up == [1]
    with closing(Store(url, 60, 1)) as store:
        assert store.counters("dev")
    with closing(open_servers(url, 60)) as found:
        assert found.facts()
