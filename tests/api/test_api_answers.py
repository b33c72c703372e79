"""The main path: dashboards, their list, freshness, health and metrics, as OpenAPI describes them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from support.api.contract import check
from support.api.server import Api
from support.api.tokens import token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES

from orchestration.config.files import load_settings
from orchestration.dashboards.question import Asked

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services


def test_every_dashboard_answers_as_described(api: Api, document: dict[str, Any]) -> None:
    names = sorted(api.service.reader.dashboards)
    assert len(names) >= 6
    for name in names:
        got = api.ask(HOSPITAL, name)
        assert got.status == 200, got.body
        check(document, f"/v1/organizations/{{organization_id}}/dashboards/{name}", got)


def test_the_figures_are_those_of_the_reader(api: Api) -> None:
    reader, id_ = api.service.reader, api.organization(HOSPITAL)
    entry = reader.compute(reader.question(Asked("task_volume", id_, ["PUBLIC"], parameters={"days": 90})))
    got = api.ask(HOSPITAL, "task_volume", "?days=90&visibility=PUBLIC").json
    assert got["data"] == json.loads(entry.body)
    assert sum(row["tasks"] for row in got["data"]["by_day"]["rows"]) > 0
    assert (got["visibilities"], got["is_stale"], got["left_out"]) == (["PUBLIC"], False, 0)
    assert got["data_up_to"] == "2026-01-01"


def test_tasks_are_as_many_as_in_the_facts(api: Api) -> None:
    counted = api.warehouse.value(
        """
        select count(*) from insights.fact_tasks join insights.dim_tasks using (organization_id, task_id)
        where organization_id = %s and fact_tasks.visibility in ('PUBLIC', 'INTERNAL')
            and created_date_key >= date '2026-01-01' - 366
        """,
        api.organization(HOSPITAL),
    )
    rows = api.ask(HOSPITAL, "task_volume", "?days=366").json["data"]["by_day"]["rows"]
    assert sum(row["tasks"] for row in rows) == counted > 0


def test_a_panel_of_a_model_that_is_not_built_says_so_as_described(api: Api, document: dict[str, Any]) -> None:
    api.warehouse.execute("alter table insights.pattern_yearly rename to away")
    got = api.ask(HOSPITAL, "open_patterns", "?visibility=INTERNAL")
    api.warehouse.execute("alter table insights.away rename to pattern_yearly")
    assert got.status == 200, got.body
    assert got.json["data"]["yearly"] == {"horizon": None, "rows": [], "left_out": 0, "missing": "pattern_yearly"}
    assert "missing" not in got.json["data"]["weekly"]
    check(document, "/v1/organizations/{organization_id}/dashboards/open_patterns", got)


@pytest.mark.parametrize(
    ("roles", "visibilities"),
    [(("teacher",), ["PUBLIC", "INTERNAL"]), (("auditor", "teacher"), ["PUBLIC", "INTERNAL", "RESTRICTED"])],
)
def test_without_visibilities_a_question_is_about_what_the_roles_may_see(
    api: Api, roles: tuple[str, ...], visibilities: list[str]
) -> None:
    assert api.ask(HOSPITAL, "overview", roles=roles).json["visibilities"] == visibilities
    id_ = api.organization(HOSPITAL)
    listed = api.get(f"/v1/organizations/{id_}/dashboards", token(id_, roles=list(roles))).json
    assert listed["visibilities"] == visibilities


def test_what_the_roles_may_not_see_is_refused_and_what_they_may_see_is_named(api: Api) -> None:
    got = api.ask(HOSPITAL, "overview", "?visibility=PUBLIC,RESTRICTED")
    assert (got.status, got.json["type"]) == (403, "urn:orgo-insights:problem:refused")
    assert got.json["detail"] == "The roles may see PUBLIC, INTERNAL only."


def test_the_anonymised_form_is_for_its_roles(api: Api, document: dict[str, Any]) -> None:
    path = "/v1/organizations/{organization_id}/dashboards/open_patterns"
    got = api.ask(HOSPITAL, "open_patterns", "?anonymised=true", ("analyst",))
    check(document, path, got)
    assert got.json["visibilities"] == ["PUBLIC", "INTERNAL", "RESTRICTED", "ANONYMISED"]
    refused = api.ask(HOSPITAL, "open_patterns", "?anonymised=true")
    check(document, path, refused)
    assert refused.status == 403


def test_every_wrong_parameter_is_named_at_once(api: Api, document: dict[str, Any]) -> None:
    query = urlencode(
        [("days", "0"), ("severities", "MINOR,TINY"), ("visibility", "SECRET"), ("day", "1"), ("day", "2")]
    )
    got = api.ask(HOSPITAL, "task_volume", f"?{query}")
    check(document, "/v1/organizations/{organization_id}/dashboards/task_volume", got)
    assert (got.status, got.headers["content-type"]) == (422, "application/problem+json")
    assert [error["parameter"] for error in got.json["errors"]] == ["day", "days", "severities", "visibility"]


@pytest.mark.parametrize("query", ["?days=7&days=8", "?anonymised=true", "?days=", "?days=1e3", "?visibility="])
def test_a_wrong_parameter_is_refused(api: Api, query: str) -> None:
    assert api.ask(HOSPITAL, "task_volume", query).status == 422


def test_a_list_may_be_given_in_parts(api: Api) -> None:
    parts = api.ask(HOSPITAL, "task_volume", "?severities=MINOR&severities=MAJOR&visibility=PUBLIC&visibility=INTERNAL")
    whole = api.ask(HOSPITAL, "task_volume", "?severities=MAJOR,MINOR")
    assert parts.json["data"] == whole.json["data"]
    assert parts.headers["etag"] == whole.headers["etag"]


def test_the_list_names_every_dashboard(api: Api, document: dict[str, Any]) -> None:
    id_ = api.organization(HOSPITAL)
    got = api.get(f"/v1/organizations/{id_}/dashboards", token(id_))
    check(document, "/v1/organizations/{organization_id}/dashboards", got)
    assert {d["name"] for d in got.json["dashboards"]} == set(api.service.reader.dashboards)
    for dashboard in got.json["dashboards"]:
        assert api.get(dashboard["path"], token(id_)).status == 200


def test_the_list_says_what_columns_mean_and_how_they_are_drawn(api: Api, document: dict[str, Any]) -> None:
    id_ = api.organization(HOSPITAL)
    listed = {d["name"]: d for d in api.get(f"/v1/organizations/{id_}/dashboards", token(id_)).json["dashboards"]}
    assert listed["sla_breaches"]["title"] == "Broken limits"
    panel = listed["sla_breaches"]["panels"]["by_day"]
    assert panel["description"].startswith("Decided tasks and breaches by day of creation")
    assert (panel["drill"], panel["anonymised"]) == (None, None)
    assert panel["columns"][0] == {"name": "day", "title": "Day", "kind": "dimension", "unit": "day"}
    assert panel["columns"][4] == {
        "name": "reactivity_share",
        "title": "Share of late first responses",
        "kind": "measure",
        "unit": "share",
    }
    y = ["reactivity_share", "completion_share"]
    assert panel["chart"] == {"mark": "line", "x": "day", "y": y, "series": None, "stack": False}
    assert listed["open_patterns"]["panels"]["weekly"]["anonymised"]["chart"]["y"] == ["patterns"]
    path = "/v1/organizations/{organization_id}/dashboards/sla_breaches"
    answer = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    rows = answer["properties"]["data"]["properties"]["by_day"]["properties"]["rows"]
    share = rows["items"]["properties"]["reactivity_share"]
    assert (share["maximum"], share["description"]) == (1, "Share of late first responses (share).")


@pytest.mark.parametrize(
    ("roles", "visibilities", "sees_anonymised"),
    [
        (["teacher"], ["PUBLIC", "INTERNAL"], False),
        (["auditor", "analyst"], ["PUBLIC", "INTERNAL", "RESTRICTED"], True),
    ],
)
def test_a_caller_is_told_who_it_is(
    api: Api, document: dict[str, Any], roles: list[str], visibilities: list[str], sees_anonymised: bool
) -> None:
    id_ = api.organization(HOSPITAL)
    got = api.get("/v1/caller", token(id_, roles=roles))
    check(document, "/v1/caller", got)
    name = api.warehouse.value("select display_name from insights.dim_organizations where organization_id = %s", id_)
    own = {"id": id_, "name": name}
    expected = {"organization": own, "organizations": [own], "visibilities": visibilities}
    assert got.json == {**expected, "sees_anonymised": sees_anonymised}
    unknown = api.get("/v1/caller", token("11111111-1111-4111-8111-111111111111")).json["organization"]
    assert unknown == {"id": "11111111-1111-4111-8111-111111111111", "name": None}
    assert api.get("/v1/caller?organization=1", token(id_)).status == 422
    everywhere = api.get("/v1/caller", token(id_, roles=["operator"])).json["organizations"]
    asked = "select organization_id::text, display_name from insights.dim_organizations"
    assert {(each["id"], each["name"]) for each in everywhere} == set(api.warehouse.rows(asked))


def test_freshness_is_that_of_the_load_log(api: Api, document: dict[str, Any]) -> None:
    got = api.get("/v1/freshness", token(api.organization(HOSPITAL)))
    check(document, "/v1/freshness", got)
    up_to = {mart["name"]: mart["data_up_to"] for mart in got.json["marts"]}
    counted = api.warehouse.rows("select relation_name, max(horizon)::text from insights_ops.load_log group by 1")
    assert {name: day for name, day in up_to.items() if day} == {n: d for n, d in counted if n in up_to}
    assert up_to["fact_tasks"] == "2026-01-01"


def test_an_answer_that_the_client_has_is_not_sent_again(api: Api) -> None:
    first = api.ask(HOSPITAL, "sla_breaches")
    id_ = api.organization(HOSPITAL)
    path = f"/v1/organizations/{id_}/dashboards/sla_breaches"
    again = api.get(path, token(id_), If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert first.headers["cache-control"] == "private, max-age=300"
    assert first.headers["vary"].startswith("Authorization")
    assert {"age", "server-timing", "x-request-id"} <= set(first.headers)
    other = api.organization(STORES)
    path = path.replace(id_, other)
    assert api.get(path, token(other), If_None_Match=first.headers["etag"]).status == 200
    assert api.get(path, token(id_), If_None_Match=first.headers["etag"]).status == 404


def test_a_long_answer_is_compressed_if_the_client_wants_it(api: Api) -> None:
    id_ = api.organization(HOSPITAL)
    path = f"/v1/organizations/{id_}/dashboards/task_volume?days=366"
    small, plain = api.get(path, token(id_), Accept_Encoding="gzip"), api.get(path, token(id_))
    assert small.headers["content-encoding"] == "gzip"
    assert len(small.body) < len(plain.body) / 2


def test_health_readiness_and_metrics(api: Api, document: dict[str, Any]) -> None:
    for path in ("/healthz", "/readyz"):
        check(document, path, api.get(path))
    api.ask(HOSPITAL, "overview")
    text = api.get("/metrics").body.decode()
    assert 'reports_api_request_duration_seconds_bucket{le="0.3"}' in text
    assert "reports_api_requests_total{outcome=" in text
    assert all(slug not in text for slug in (HOSPITAL, api.organization(HOSPITAL), "user-1"))


def test_openapi_describes_each_parameter_and_nothing_else(api: Api, document: dict[str, Any]) -> None:
    for name, dashboard in api.service.reader.dashboards.items():
        operation = document["paths"][f"/v1/organizations/{{organization_id}}/dashboards/{name}"]["get"]
        names = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
        own = {"visibility", "anonymised"} if dashboard.has_anonymised_form else {"visibility"}
        assert names == set(dashboard.meta.parameters) | own
        assert all(p["description"] for p in operation["parameters"])
    days = document["paths"]["/v1/organizations/{organization_id}/dashboards/overview"]["get"]["parameters"][1]
    assert days["schema"] == {"type": "integer", "minimum": 1, "maximum": 366, "default": 28}


def test_the_shipped_configuration_has_no_superuser() -> None:
    assert load_settings().insights.reports_api.superuser_roles == []
