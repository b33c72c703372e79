"""What attackers send: huge and slow requests, odd methods and paths, parameters that two caches read differently."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from support.api import raw
from support.api.routes import OPEN, paths, pattern_of
from support.api.server import Api
from support.api.tokens import token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES

pytest_plugins = ["support.api.fixtures", "support.api.routes"]
pytestmark = pytest.mark.services

TEN_MB = 10 * 1024 * 1024
METHODS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "GETT")


@pytest.mark.parametrize("query", ["DAYS=7", "days=7;days=90", "days[]=7", "days=7&%64ays=90", "da%79s=7&days=8"])
def test_parameters_that_two_caches_read_differently(api: Api, query: str) -> None:
    assert api.ask(HOSPITAL, "task_volume", f"?{query}").status == 422


def test_headers_that_rewrite_requests_elsewhere_change_nothing(api: Api) -> None:
    id_, other = api.organization(HOSPITAL), api.organization(STORES)
    path, elsewhere = f"/v1/organizations/{id_}/dashboards", f"/v1/organizations/{other}/dashboards"
    plain = api.get(path, token(id_))
    got = api.get(
        path,
        token(id_),
        X_Original_URL=elsewhere,
        X_Rewrite_URL=elsewhere,
        X_Forwarded_Host="evil.example",
        X_Forwarded_Prefix="/evil",
        X_HTTP_Method_Override="DELETE",
        X_Request_Id="<script>",
        Forwarded="host=evil.example",
    )
    assert got.body == plain.body
    assert "script" not in got.headers["x-request-id"]
    assert b"evil" not in got.body


def test_a_url_of_ten_megabytes(api: Api) -> None:
    id_ = api.organization(HOSPITAL)
    for target in (f"/{'a' * TEN_MB}", f"/v1/organizations/{id_}/dashboards?x={'a' * TEN_MB}"):
        got = raw.ask(api, target, [("Authorization", f"Bearer {token(id_)}")])
        assert got.status == 400
        assert len(got.body) < 1000
    assert api.get("/healthz").status == 200


def test_headers_of_ten_megabytes(api: Api) -> None:
    id_ = api.organization(HOSPITAL)
    path = f"/v1/organizations/{id_}/dashboards"
    own = ("Authorization", f"Bearer {token(id_)}")
    large = [
        [own, ("X-Large", "a" * TEN_MB)],
        [own, *((f"X-{number}", "a" * 100) for number in range(100_000))],
        [("Authorization", "Bearer " + "a" * TEN_MB)],
        [own, ("If-None-Match", ",".join(['W/"x"'] * 1_000_000))],
        [own, ("Cookie", "a=b; " * 1_000_000)],
    ]
    for headers in large:
        assert raw.ask(api, path, headers).status == 400
    assert api.get(path, token(id_)).status == 200


def test_a_body_of_ten_megabytes_is_not_read(api: Api) -> None:
    id_ = api.organization(HOSPITAL)
    headers = [("Authorization", f"Bearer {token(id_)}"), ("Content-Length", str(TEN_MB))]
    got = raw.ask(api, f"/v1/organizations/{id_}/dashboards", headers, body=b"a" * TEN_MB)
    assert got.status == 200
    assert api.get("/healthz").status == 200


def test_slow_clients_keep_nobody_waiting(api: Api) -> None:
    id_ = api.organization(HOSPITAL)
    path, more = f"/v1/organizations/{id_}/dashboards/overview", 3 * api.service.settings.insights.reports_api.threads
    with ExitStack() as stack:
        slow = [stack.enter_context(raw.connected(api)) for _ in range(3 * more)]
        for connection in slow[:more]:
            connection.sendall(b"GE")
        for connection in slow[more : 2 * more]:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bear".encode())
        for connection in slow[2 * more :]:  # whole requests, of which the answers are not read
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token(id_)}\r\n\r\n".encode())
        for _ in range(5):
            assert api.get(path, token(id_)).status == 200
            assert api.get("/readyz").status == 200
        for connection in slow:
            connection.sendall(b"x")  # none has been closed, and each still counts for nothing
    assert api.get(path, token(id_)).status == 200


@pytest.mark.parametrize("method", METHODS)
def test_other_methods_on_every_path(api: Api, document: dict[str, Any], method: str) -> None:
    id_ = api.organization(HOSPITAL)
    own = ("Authorization", f"Bearer {token(id_)}")
    for path in [*paths(document, id_, pattern_of(api, HOSPITAL)), *OPEN]:
        got = raw.ask(api, path, [own, ("X-HTTP-Method-Override", "GET")], method)
        assert got.status in (400, 405), (path, got.status)
        if got.status == 405:
            assert {"GET", "HEAD"} == {name.strip() for name in got.headers["allow"].split(",")}


def test_head_is_get_without_a_body(api: Api, document: dict[str, Any]) -> None:
    id_ = api.organization(HOSPITAL)
    for path in paths(document, id_, pattern_of(api, HOSPITAL)):
        whole, head = api.get(path, token(id_)), api.get(path, token(id_), method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers.get("etag") == whole.headers.get("etag")
        assert api.get(path, method="HEAD").status == 401


def test_paths_that_lead_elsewhere_on_other_servers(api: Api) -> None:
    own, other = api.organization(HOSPITAL), api.organization(STORES)
    begin = "/v1/organizations"
    tricks = [
        f"{begin}/{own}/../{other}/dashboards",
        f"{begin}/{own}/%2e%2e/{other}/dashboards",
        f"{begin}/{own}%2f..%2f{other}/dashboards",
        f"{begin}/{own}%2F..%2F{other}%2Fdashboards",
        f"{begin}/{own}/..;/{other}/dashboards",
        f"{begin}/{own};{other}/dashboards",
        f"{begin}/{own},{other}/dashboards",
        f"{begin}/{own}%00{other}/dashboards",
        f"{begin}/{own}\\..\\{other}/dashboards",
        f"{begin}/%20{own}/dashboards",
        f"{begin}/{own}%0d%0aX-Evil:%201/dashboards",
        f"/{begin}/{own}/dashboards",
        f"{begin}//{own}/dashboards",
        f"{begin}/{own}/dashboards/",
        f"{begin}/{own}//dashboards",
        f"/V1/organizations/{own}/dashboards",
        f"{begin}/{own}/dashboards/overview%2f..%2ftask_volume",
        f"{begin}/{own}/dashboards/OVERVIEW",
        f"{begin}/{own}/dashboards/task_counts%00",
        f"{begin}/{own}/patterns/..%2fdashboards",
        f"{begin}/{{organization_id}}/dashboards",
        "/insights/reports/tasks/volume/",
        "/insights//reports/tasks/volume",
        "/api/admin/insights/overview/../../../../metrics",
        f"http://evil.example{begin}/{other}/dashboards",
        "/static/../../etc/passwd",
        "/docs",
        "/.git/config",
    ]
    bodies = set()
    for target in tricks:
        got = raw.ask(api, target, [("Authorization", f"Bearer {token(own)}")])
        assert got.status in (400, 404), target
        assert "x-evil" not in got.headers
        if got.status == 404:
            bodies.add(got.body)
    assert len(bodies) == 1
    absolute = raw.ask(
        api, f"http://evil.example{begin}/{other}/dashboards", [("Authorization", f"Bearer {token(own)}")]
    )
    assert absolute.status in (400, 404)
