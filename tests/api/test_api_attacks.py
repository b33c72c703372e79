"""Other organizations' ids in every path and parameter, ETags as an oracle, and what errors say."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from support.api.client import ROUTES
from support.api.routes import paths, pattern_of
from support.api.server import Api, running
from support.api.tokens import SECRET, token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.warehouse import Warehouse

pytest_plugins = ["support.api.fixtures", "support.api.routes"]
pytestmark = pytest.mark.services

STRANGER = "00000000-0000-4000-8000-000000000000"
INSIDE = ("psycopg", "Traceback", "insights.", "insights_ops", "select ", "orchestration", "postgres", ".py", "redis")


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
