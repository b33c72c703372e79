"""The parameters that Orgo's own web client sends, in both spellings, wrong ones, and other organizations' ids."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.api.client import BREACHES, OVERVIEW, ROUTES, SCORE, VOLUME, ask
from support.api.contract import check
from support.api.server import Api
from support.api.tokens import token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services


def test_two_spellings_are_one_question(api: Api) -> None:
    id_ = api.organization(HOSPITAL)
    short = ask(api, VOLUME, f"?organization_id={id_}&from=2025-11-01&to=2025-11-30&domain=")
    long = ask(api, VOLUME, f"?organizationId={id_.upper()}&startDate=2025-11-01T12:00:00.000Z&endDate=2025-11-30")
    both = ask(api, VOLUME, "?from=2025-11-01&startDate=2025-11-01&endDate=2025-11-30&window=7d")
    offset = ask(api, VOLUME, "?from=2025-10-31T23:30:00-01:00&to=2025-12-01T00:30:00%2B01:00")
    assert {got.headers["etag"] for got in (short, long, both, offset)} == {short.headers["etag"]}
    assert short.json["data"]
    path = f"{VOLUME}?from=2025-11-01&to=2025-11-30"
    again = api.get(path, token(id_), If_None_Match=short.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        (VOLUME, "?window=8d", "Parameter window is '8d'"),
        (VOLUME, "?from=yesterday", "Parameter from is 'yesterday'"),
        (VOLUME, "?from=2025-02-30", "Parameter from is '2025-02-30'"),
        (VOLUME, "?from=2025-02-02&to=2025-02-01", "Parameter from must not be after to."),
        (VOLUME, "?from=2025-02-01&startDate=2025-02-02", "from or startDate is given with different values"),
        (VOLUME, "?groupBy=label", "it must be one of status, type, priority, severity"),
        (VOLUME, "?granularity=hour", "it must be one of day, week, month"),
        (VOLUME, "?statuses[]=DONE", "statuses"),
        (VOLUME, "?domain=%00", "Parameter domain must be a text"),
        (VOLUME, f"?domain={'x' * 256}", "Parameter domain must be a text of 1 to 255 characters"),
        (VOLUME, "?view=tasks", "There is no parameter 'view' here."),
        (VOLUME, "?_=1", "There is no parameter '_' here."),
        (BREACHES, "?view=labels", "Parameter view must be one of domains, tasks."),
        (BREACHES, "?onlyOpen=yes", "Parameter onlyOpen is 'yes'"),
        (BREACHES, "?minSeverity=TINY", "Parameter minSeverity is 'TINY'"),
        (SCORE, "?from=0000-01-01", "Parameter from"),
        (SCORE, "?from=0001-01-01T00:00:00%2B14:00", "Parameter from"),
        (OVERVIEW, "?timeframe=365d", "Parameter timeframe is '365d'"),
        (OVERVIEW, "?organization_id=1", "There is no parameter 'organization_id' here."),
    ],
)
def test_wrong_parameters(api: Api, document: dict[str, Any], path: str, query: str, says: str) -> None:
    got = ask(api, path, query)
    check(document, path, got)
    assert got.status == 422, got.body
    assert (got.json["ok"], got.json["data"], got.json["error"]["code"]) == (False, None, "parameters")
    assert says in got.json["error"]["message"]


def test_all_wrong_parameters_are_named_at_once(api: Api) -> None:
    message = ask(api, VOLUME, "?window=1&from=x&granularity=y&nothing=z").json["error"]["message"]
    assert all(word in message for word in ("window", "from", "granularity", "nothing"))


@pytest.mark.parametrize("path", ROUTES)
def test_errors_have_the_envelope(api: Api, document: dict[str, Any], path: str) -> None:
    for got, status, code in (
        (api.get(path), 401, "unauthenticated"),
        (ask(api, path, exp=1), 401, "unauthenticated"),
        (ask(api, path, "?nothing=1"), 422, "parameters"),
    ):
        check(document, path, got)
        assert (got.status, got.json["error"]["code"], got.json["data"]) == (status, code, None)


@pytest.mark.parametrize("name", ["organization_id", "organizationId"])
@pytest.mark.parametrize("path", [VOLUME, BREACHES, SCORE])
def test_another_organization_is_as_if_it_were_not_there(api: Api, path: str, name: str) -> None:
    own, other = api.organization(HOSPITAL), api.organization(STORES)
    bodies = set()
    for given in (other, "00000000-0000-4000-8000-000000000000", "sample-stores", "*", f"{own},{other}"):
        for query in (f"?{name}={given}", f"?organization_id={own}&{name}={given}", f"?{name}={given}&{name}={own}"):
            got = ask(api, path, query)
            assert (got.status, got.json["error"]["code"]) == (404, "not-found")
            bodies.add(got.body)
    assert len(bodies) == 1
    headed = api.get(path, token(own), X_Organization_Id=other)
    assert headed.json["data"] == ask(api, path).json["data"]


def test_a_superuser_asks_for_another_organization(api: Api) -> None:
    other = api.organization(STORES)
    got = ask(api, SCORE, f"?organizationId={other}", roles=["operator"])
    assert got.json["data"]["organizationId"] == other
    assert got.json["data"] == ask(api, SCORE, slug=STORES).json["data"]


def test_roles_decide_what_is_counted(api: Api) -> None:
    narrow, wide = (ask(api, VOLUME, "?window=all", roles=roles).json for roles in (["teacher"], ["auditor"]))
    assert wide["meta"]["visibilities"] == ["PUBLIC", "INTERNAL", "RESTRICTED"]
    assert sum(r["value"] for r in wide["data"]) > sum(r["value"] for r in narrow["data"])


def test_ids_are_texts(document: dict[str, Any]) -> None:
    """JavaScript rounds integers of 64 bits."""
    found = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            for name, schema in node.get("properties", {}).items():
                if isinstance(schema, dict) and (name == "id" or name.endswith(("_id", "Id"))):
                    found.append((name, schema.get("type")))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(json.dumps(document)))
    assert ("task_id", "string") in found
    assert [(name, type_) for name, type_ in found if type_ not in ("string", ["string", "null"], None)] == []
