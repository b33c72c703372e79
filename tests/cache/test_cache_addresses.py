"""The address of the cache: which forms it has, and what is refused before anything connects."""

from __future__ import annotations

import pytest

from orchestration.cache.addresses import Address, parse
from orchestration.cache.store import CacheUnavailableError, Store
from orchestration.config.variables import variable_problems
from orchestration.errors import MisconfiguredError


def test_the_address_of_one_server_is_read_by_redis_py() -> None:
    for url in ("redis://h", "rediss://u:p@h:1/2", "unix:///run/redis?db=1"):
        assert parse(url) is None


def test_sentinels_with_a_service() -> None:
    assert parse("redis+sentinel://one,two:1,[::1]:2/insights") == Address(
        "sentinel", (("one", 26379), ("two", 1), ("::1", 2)), "insights", {}, {}
    )
    found = parse(
        "rediss+sentinel://u%40:p%2Fw@one/in%20sights/3"
        "?sentinel_username=s&sentinel_password=t%26&ssl_ca_certs=/ca.pem&socket_keepalive=yes"
    )
    shared = {"ssl": True, "ssl_ca_certs": "/ca.pem", "socket_keepalive": True}
    assert found == Address(
        "sentinel",
        (("one", 26379),),
        "in sights",
        {"username": "u@", "password": "p/w", "db": 3, **shared},
        {"username": "s", "password": "t&", **shared},
    )


def test_nodes_of_a_cluster() -> None:
    assert parse("redis+cluster://:pw@one:7000,two") == Address(
        "cluster", (("one", 7000), ("two", 6379)), "", {"password": "pw"}, {}
    )
    assert parse("REDISS+CLUSTER://one/") == Address("cluster", (("one", 6379),), "", {"ssl": True}, {})


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://:secret@one:26379",
        "redis+sentinel://:secret@one/insights/1/2",
        "redis+sentinel://:secret@one/insights/first",
        "redis+sentinel://:secret@one:port/insights",
        "redis+sentinel://:secret@one,,two/insights",
        "redis+sentinel://:secret@/insights",
        "redis+cluster://:secret@one/1",
        "redis+mirror://:secret@one",
        "http+cluster://:secret@one",
    ],
)
def test_an_address_of_no_form_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(MisconfiguredError, match="INSIGHTS_REDIS_URL must be like") as caught:
        Store(url, 1, 1)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "form", ["redis+sentinel://h/insights{}", "rediss+sentinel://h/insights{}", "redis+cluster://h{}"]
)
@pytest.mark.parametrize("option", ["?sokket_timeout=1", "?protocol=9", "?protocol=x"])
def test_an_option_that_the_client_does_not_take_is_a_cache_that_is_down(form: str, option: str) -> None:
    store = Store(form.format(option), 1, 1)
    with pytest.raises(CacheUnavailableError, match="an option that redis-py does not take"):
        store.counters("dev")
    store.close()


def test_the_schemes_are_known_to_the_configuration() -> None:
    for scheme in ("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"):
        assert variable_problems({"INSIGHTS_REDIS_URL": f"{scheme}://h/insights"}) == []
    (problem,) = variable_problems({"INSIGHTS_REDIS_URL": "redis+mirror://u:pw@h"})
    assert "pw" not in str(problem)
