"""What attackers send: other organizations' ids everywhere, huge and slow requests, odd methods and paths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

import pytest
from support.api import raw
from support.api.client import ROUTES
from support.api.server import Api, running
from support.api.tokens import SECRET, token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.warehouse import Warehouse

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

STRANGER = "00000000-0000-4000-8000-000000000000"
TEN_MB = 10 * 1024 * 1024
MANY = 1_000_000
OPEN = ("/healthz", "/readyz", "/metrics", "/openapi.json")
METHODS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "GETT")
INSIDE = ("psycopg", "Traceback", "insights.", "insights_ops", "select ", "orchestration", "postgres", ".py", "redis")


@pytest.fixture(scope="module")
def api(sample: Warehouse, redis_of_module: Any) -> Iterator[Api]:
    """Yield a service that an attacker may ask as often as wanted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
        with running(sample, redis_of_module, reports_api__requests_per_minute=MANY) as made:
            yield made


def pattern_of(api: Api, slug: str) -> str:
    """Return the id of a pattern of an organization that every role may see."""
    union = " union all ".join(
        f"select organization_id, visibility, pattern_id from insights.pattern_{cadence}"  # noqa: S608
        for cadence in ("weekly", "monthly", "yearly")
    )
    query = f"select min(pattern_id::text) from ({union}) as p where organization_id = %s and visibility = any(%s)"  # noqa: S608
    return str(api.warehouse.value(query, api.organization(slug), ["PUBLIC", "INTERNAL"]))


def paths(document: dict[str, Any], organization_id: str, pattern_id: str) -> dict[str, dict[str, Any]]:
    """Return every path that needs a token with these ids in it, and what OpenAPI says about it."""
    return {
        path.format(organization_id=organization_id, pattern_id=pattern_id): found["get"]
        for path, found in document["paths"].items()
        if path not in OPEN
    }


def test_another_organization_in_every_path(api: Api, document: dict[str, Any]) -> None:
    own, other = api.organization(HOSPITAL), api.organization(STORES)
    mine, theirs = pattern_of(api, HOSPITAL), pattern_of(api, STORES)
    asked, bodies = 0, set()
    for organization_id, pattern_id in ((other, theirs), (other, mine), (STRANGER, mine), (own, theirs)):
        for path in paths(document, organization_id, pattern_id):
            is_foreign = other in path or STRANGER in path or theirs in path
            if is_foreign:
                got = api.get(path, token(own))
                assert got.status == 404, path
                bodies.add(got.body)
                asked += 1
    assert asked > 3 * 12
    assert len(bodies) == 1
    assert api.get(f"/v1/organizations/{own}/patterns/{mine}", token(own)).status == 200


def test_another_organization_in_every_parameter(api: Api, document: dict[str, Any]) -> None:
    own, other = api.organization(HOSPITAL), api.organization(STORES)
    asked = 0
    for path, operation in paths(document, own, pattern_of(api, HOSPITAL)).items():
        names = [p["name"] for p in operation["parameters"] if p["in"] == "query"]
        for name in [*names, "organization", "org", "tenant", "organization_id", "orgId"]:
            for value in (other, STORES, f"{own},{other}"):
                got = api.get(f"{path}?{quote(name)}={quote(value)}", token(own))
                asked += 1
                if got.status not in (404, 422):  # a text that no row has
                    assert got.status == 200, (path, name)
                    assert name in ("domain", "profile", "profile_code", "profileKey"), (path, name)
                    assert rows(got.json["data"]) == 0, (path, name)
    assert asked > 200


def rows(data: Any) -> int:
    """Return the number of rows in the data of an answer."""
    if isinstance(data, list):
        return len(data)
    found = [data.get("perDomain", []), data.get("patterns", [])]
    found += [panel["rows"] for panel in data.values() if isinstance(panel, dict)]
    return sum(map(len, found))


def test_tokens_of_another_organization_share_no_etag(api: Api, document: dict[str, Any]) -> None:
    tags: dict[str, set[str]] = {}
    for slug in (HOSPITAL, STORES):
        id_ = api.organization(slug)
        asked = [*paths(document, id_, pattern_of(api, slug)), f"/v1/organizations/{id_}/patterns?domain=no-such"]
        asked += [f"{path}?domain=no-such" for path in ROUTES[:2]]  # the same empty answer for both
        for path in asked:
            got = api.get(path, token(id_))
            assert got.status == 200, path
            if tag := got.headers.get("etag"):
                tags.setdefault(slug, set()).add(tag)
                assert api.get(path, token(id_), If_None_Match=f'"x", {tag}').status == 304
    assert len(tags[HOSPITAL]) > 15
    assert tags[HOSPITAL] & tags[STORES] == set()
    own, every = api.organization(STORES), ", ".join(tags[HOSPITAL])
    for path in paths(document, own, pattern_of(api, STORES)):
        assert api.get(path, token(own), If_None_Match=every).status == 200, path
        assert api.get(path, token(own), If_None_Match="*").status == 200, path
        assert api.get(path, None, If_None_Match=every).status == 401
        assert api.get(path.replace(own, STRANGER), token(own), If_None_Match=every).status in (200, 404)


def test_an_answer_for_wider_roles_is_not_given_to_others(api: Api, document: dict[str, Any]) -> None:
    id_ = api.organization(HOSPITAL)
    for path in paths(document, id_, pattern_of(api, HOSPITAL)):
        wide, narrow = (api.get(path, token(id_, roles=[role])) for role in ("auditor", "teacher"))
        about = narrow.json.get("meta", narrow.json)
        if "computed_at" in about:
            assert about["visibilities"] == ["PUBLIC", "INTERNAL"], path
            assert wide.headers["etag"] != narrow.headers["etag"], path
            assert api.get(path, token(id_), If_None_Match=wide.headers["etag"]).status == 200


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


def test_errors_say_nothing_of_the_inside(api: Api, document: dict[str, Any]) -> None:
    id_ = api.organization(HOSPITAL)
    for path in paths(document, id_, pattern_of(api, HOSPITAL)):
        for got in (
            api.get(path),
            api.get(path, "x.y.z"),
            api.get(path, token(id_, roles=[])),
            api.get(f"{path}?nothing='", token(id_)),
            api.get(path.replace(id_, "'"), token(id_)),
            api.get(path, token(id_), method="POST"),
        ):
            text = json.dumps(dict(got.headers)) + got.body.decode()
            if got.status != 200:
                assert all(word not in text for word in INSIDE), (path, text)


def test_a_stranger_is_refused_before_anything_is_read(sample: Warehouse, document: dict[str, Any]) -> None:
    """Without a warehouse there is no answer, and no time in which it could be asked whether something exists."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
        with running(sample, url="postgresql://nobody@127.0.0.1:1/nowhere") as api:
            own, other = api.organization(HOSPITAL), api.organization(STORES)
            for id_ in (other, STRANGER):
                for path in paths(document, id_, STRANGER):
                    if id_ in path:
                        assert api.get(path, token(own)).status == 404
            for path in ROUTES[:3]:
                assert api.get(f"{path}?organization_id={other}", token(own)).status == 404
