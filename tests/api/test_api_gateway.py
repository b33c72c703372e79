"""A gateway that has authenticated callers: its headers count with its secret, once, and with no token beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.api import raw
from support.api.server import Api, Got, running
from support.api.tokens import SECRET, token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.warehouse import Warehouse

from orchestration.api.gateway import Gateway
from orchestration.config.files import Settings
from orchestration.config.variables import variable_problems
from orchestration.errors import MisconfiguredError

pytest_plugins = ["support.api.fixtures"]

PROXY = "5f0e8a1c94d7b2633ab0fe5d8c7194e2"
Pairs = list[tuple[str, str]]


@pytest.fixture(scope="module")
def behind(sample: Warehouse) -> Iterator[Api]:
    """Yield a service behind a gateway, which also has the secret of tokens in its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_PROXY_SECRET", PROXY)
        patch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
        with running(sample, trusts_gateway=True) as made:
            yield made


def good(api: Api, slug: str = HOSPITAL, roles: str = "teacher") -> Pairs:
    return [
        ("X-Insights-Proxy-Secret", PROXY),
        ("X-Insights-User", "user-1"),
        ("X-Insights-Organization", api.organization(slug)),
        ("X-Insights-Roles", roles),
    ]


def ask(api: Api, headers: Pairs, path: str = "/v1/organizations/{}/dashboards/overview") -> Got:
    return raw.ask(api, path.format(api.organization(HOSPITAL)), headers)


def without(headers: Pairs, name: str) -> Pairs:
    return [pair for pair in headers if pair[0] != name]


def instead(headers: Pairs, name: str, value: str) -> Pairs:
    return [*without(headers, name), (name, value)]


@pytest.mark.services
def test_the_gateway_says_who_asks(behind: Api) -> None:
    got = ask(behind, good(behind))
    assert (got.status, got.json["visibilities"]) == (200, ["PUBLIC", "INTERNAL"])
    vary = {name.strip().lower() for name in got.headers["vary"].split(",")}
    assert {"x-insights-user", "x-insights-organization", "x-insights-roles"} <= vary
    wide = ask(behind, good(behind, roles=" teacher , auditor ,"))
    assert wide.json["visibilities"] == ["PUBLIC", "INTERNAL", "RESTRICTED"]
    assert ask(behind, good(behind, roles="")).status == 403
    assert ask(behind, good(behind, STORES)).status == 404
    assert ask(behind, good(behind, STORES, roles="operator")).status == 200
    assert ask(behind, good(behind), "/insights/reports/profiles/score").status == 200
    assert behind.get("/openapi.json").json["security"] == [{"gateway": []}]


ATTACKS: dict[str, Callable[[Pairs], Pairs]] = {
    "no headers at all": lambda _: [],
    "no secret": lambda h: without(h, "X-Insights-Proxy-Secret"),
    "an empty secret": lambda h: instead(h, "X-Insights-Proxy-Secret", ""),
    "another secret": lambda h: instead(h, "X-Insights-Proxy-Secret", PROXY[:-1] + "3"),
    "the beginning of the secret": lambda h: instead(h, "X-Insights-Proxy-Secret", PROXY[:-1]),
    "more than the secret": lambda h: instead(h, "X-Insights-Proxy-Secret", PROXY + "0"),
    "the secret in capitals": lambda h: instead(h, "X-Insights-Proxy-Secret", PROXY.upper()),
    "a secret that is no ASCII": lambda h: instead(h, "X-Insights-Proxy-Secret", "\xe4" * 32),
    "the secret of tokens": lambda h: instead(h, "X-Insights-Proxy-Secret", SECRET),
    "the secret twice": lambda h: [*h, ("X-Insights-Proxy-Secret", PROXY)],
    "a wrong secret and the right one": lambda h: [("X-Insights-Proxy-Secret", "x"), *h],
    "the secrets joined": lambda h: instead(h, "X-Insights-Proxy-Secret", f"{PROXY}, {PROXY}"),
    "no user": lambda h: without(h, "X-Insights-User"),
    "an empty user": lambda h: instead(h, "X-Insights-User", ""),
    "a blank user": lambda h: instead(h, "X-Insights-User", "\xa0"),
    "two users": lambda h: [*h, ("X-Insights-User", "admin")],
    "two users, in other capitals": lambda h: [*h, ("x-INSIGHTS-user", "admin")],
    "two users joined": lambda h: instead(h, "X-Insights-User", "user-1, admin"),
    "a long user": lambda h: instead(h, "X-Insights-User", "u" * 256),
    "no organization": lambda h: without(h, "X-Insights-Organization"),
    "a slug": lambda h: instead(h, "X-Insights-Organization", HOSPITAL),
    "two organizations": lambda h: [*h, ("X-Insights-Organization", "00000000-0000-4000-8000-000000000000")],
    "the same organization twice": lambda h: [*h, h[2]],
    "two organizations joined": lambda h: instead(h, "X-Insights-Organization", f"{h[2][1]}, {h[2][1]}"),
    "no roles": lambda h: without(h, "X-Insights-Roles"),
    "roles twice": lambda h: [*h, ("X-Insights-Roles", "auditor")],
    "a token beside the headers": lambda h: [*h, ("Authorization", f"Bearer {token(h[2][1])}")],
    "an empty token beside the headers": lambda h: [*h, ("Authorization", "")],
    "a token in their place": lambda h: [("Authorization", f"Bearer {token(h[2][1])}")],
    "underscores": lambda h: [(name.replace("-", "_"), value) for name, value in h],
    "underscores beside": lambda h: [*without(h, "X-Insights-User"), ("X_Insights_User", "user-1")],
}


@pytest.mark.services
@pytest.mark.parametrize("case", ATTACKS)
def test_headers_that_are_not_the_gateways(behind: Api, case: str) -> None:
    headers = ATTACKS[case](good(behind))
    got = ask(behind, headers)
    assert got.status == 401, got.body
    assert got.json["detail"] == "Send Authorization: Bearer with a valid access token."
    assert ask(behind, headers, "/v1/freshness").status == 401


@pytest.mark.services
@pytest.mark.parametrize(
    "line",
    [
        "X-Insights-User : admin",  # a space before the colon
        " X-Insights-User: admin",  # a folded line
        "X-Insights-User\t: admin",
        "X-Insights-User: admin\nX-Insights-Roles: auditor",  # a bare line feed
        "X-Insights-\0User: admin",
    ],
)
def test_headers_that_two_servers_read_differently(behind: Api, line: str) -> None:
    path = f"/v1/organizations/{behind.organization(HOSPITAL)}/dashboards/overview"
    sent = [f"{name}: {value}" for name, value in without(good(behind), "X-Insights-User")]
    text = "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *sent, line, "", ""])
    assert raw.parsed(raw.send(behind, text.encode("latin-1"))).status in (400, 401)


@pytest.mark.services
def test_a_request_smuggled_in_a_body(behind: Api) -> None:
    """What follows a request on the same connection is a request of its own, with its own headers or none."""
    path = f"/v1/organizations/{behind.organization(HOSPITAL)}/dashboards/overview"
    inner = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    sent = [f"{name}: {value}" for name, value in good(behind)]
    for lengths in (
        ["Content-Length: 0", "Transfer-Encoding: chunked"],
        ["Content-Length: 4", f"Content-Length: {len(inner)}"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding: xchunked"],
    ):
        head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *sent, *lengths, "", ""])
        received = raw.send(behind, (head + "0\r\n\r\n" + inner).encode())
        statuses = [int(part.split()[0]) for part in received.split(b"HTTP/1.1 ")[1:]]
        assert statuses[1:] in ([], [401], [400]), received  # the inner request has no headers of the gateway


@pytest.mark.services
def test_without_the_option_the_headers_mean_nothing(sample: Warehouse) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_PROXY_SECRET", PROXY)
        patch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
        with running(sample) as api:
            assert ask(api, good(api)).status == 401
            own = ("Authorization", f"Bearer {token(api.organization(HOSPITAL))}")
            got = ask(api, [own, *good(api, STORES, roles="auditor,operator")])
            assert (got.status, got.json["visibilities"]) == (200, ["PUBLIC", "INTERNAL"])


@pytest.mark.parametrize(
    ("secret", "says"), [(None, "INSIGHTS_PROXY_SECRET is not set"), ("", "is not set"), ("short", "at least 32 bytes")]
)
def test_it_does_not_start_without_a_secret(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, secret: str | None, says: str
) -> None:
    monkeypatch.delenv("INSIGHTS_PROXY_SECRET", raising=False)
    if secret is not None:
        monkeypatch.setenv("INSIGHTS_PROXY_SECRET", secret)
    with pytest.raises(MisconfiguredError, match=says):
        Gateway(settings)


def test_the_check_of_the_configuration_finds_a_weak_secret() -> None:
    (problem,) = variable_problems({"INSIGHTS_PROXY_SECRET": "a" * 40})
    assert (problem.level, problem.key) == ("error", "INSIGHTS_PROXY_SECRET")
    assert "aaa" not in str(problem)
