"""One user in a loop is refused and others are not; scripts of allowed origins only may read answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.api.server import Api, running
from support.api.tokens import SECRET, token
from support.config_project import ConfigProject
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.warehouse import Warehouse

from orchestration.api import limits
from orchestration.api.limits import RequestLimit, TooManyRequestsError
from orchestration.api.tokens import Caller

pytest_plugins = ["support.api.fixtures", "support.config.project_copy"]

ORIGIN, OTHER = "https://orgo.example.org", "https://orgo.example.org.evil.example"
MOST = 3


@pytest.fixture(scope="module")
def strict(sample: Warehouse) -> Iterator[Api]:
    """Yield a service with an allowed origin and few requests per minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
        # The clock stands still, so that no minute begins in the middle of a test.
        patch.setattr("orchestration.api.limits.monotonic", lambda: 30.0)
        with running(sample, reports_api__requests_per_minute=MOST, reports_api__cors_origins=[ORIGIN]) as made:
            yield made


@pytest.mark.services
def test_a_user_who_asks_too_often_is_refused_and_others_are_not(strict: Api) -> None:
    hospital, stores = strict.organization(HOSPITAL), strict.organization(STORES)
    path = f"/v1/organizations/{hospital}/dashboards"
    statuses = [strict.get(path, token(hospital, sub="in-a-loop")).status for _ in range(MOST + 2)]
    assert statuses == [200] * MOST + [429] * 2
    got = strict.get("/v1/freshness", token(hospital, sub="in-a-loop"))
    assert (got.status, got.json["type"]) == (429, "urn:orgo-insights:problem:too-many")
    assert got.headers["retry-after"] == "30"
    assert strict.get(path, token(hospital, sub="another")).status == 200
    # The same user id in another organization is another user.
    assert strict.get(path.replace(hospital, stores), token(stores, sub="in-a-loop")).status == 200


def test_the_next_minute_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 59.0
    monkeypatch.setattr("orchestration.api.limits.monotonic", lambda: now)
    limit, caller = RequestLimit(1), Caller("user-1", "organization", frozenset())
    limit.count(caller)
    with pytest.raises(TooManyRequestsError):
        limit.count(caller)
    assert limits.seconds_left() == 1
    now = 60.0
    limit.count(caller)
    assert limits.seconds_left() == 60


@pytest.mark.services
def test_scripts_of_an_allowed_origin_may_read_answers(strict: Api) -> None:
    id_ = strict.organization(HOSPITAL)
    path = f"/v1/organizations/{id_}/dashboards"
    asks = {"Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "authorization"}
    before = strict.get(path, method="OPTIONS", Origin=ORIGIN, **asks)
    assert (before.status, before.headers["access-control-allow-origin"]) == (200, ORIGIN)
    got = strict.get(path, token(id_, sub="of-a-page"), Origin=ORIGIN)
    assert (got.status, got.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "access-control-allow-credentials" not in got.headers
    assert "ETag" in got.headers["access-control-expose-headers"]
    assert "Origin" in got.headers["vary"]


@pytest.mark.services
@pytest.mark.parametrize("origin", [OTHER, "null", "http://orgo.example.org", "https://ORGO.example.org:8443"])
def test_scripts_of_other_origins_may_not(strict: Api, origin: str) -> None:
    id_ = strict.organization(HOSPITAL)
    path = f"/v1/organizations/{id_}/dashboards"
    before = strict.get(path, method="OPTIONS", Origin=origin, Access_Control_Request_Method="GET")
    got = strict.get(path, token(id_, sub=origin), Origin=origin)
    assert before.status == 400
    assert all("access-control-allow-origin" not in answer.headers for answer in (before, got))


@pytest.mark.parametrize("origin", ["*", "https://*.example.org", "orgo.example.org", "https://orgo.example.org/"])
def test_an_origin_with_a_wildcard_or_a_path_is_no_origin(project: ConfigProject, origin: str) -> None:
    project.edit("cors_origins: []", f'cors_origins: ["{origin}"]')
    (problem,) = [p for p in project.check().problems if p.level == "error"]
    assert problem.key == "insights.reports_api.cors_origins.0"


@pytest.mark.parametrize(
    "link",
    [
        "https://{case_id}.example.org/",
        "https://orgo.example.org/cases",
        "https://orgo.example.org/{case_id}/{case_id}",
        "https://orgo.example.org/{task_id}",
        "https://orgo.example.org/a b/{case_id}",
        "javascript:open('{case_id}')",
        "//orgo.example.org/{case_id}",
    ],
)
def test_a_link_into_orgo_has_the_id_once_and_behind_the_host(project: ConfigProject, link: str) -> None:
    project.edit("case_link: null", f'case_link: "{link}"')
    (problem,) = [p for p in project.check().problems if p.level == "error"]
    assert problem.key == "insights.reports_api.case_link"


def test_a_link_into_orgo_is_accepted(project: ConfigProject) -> None:
    project.edit("case_link: null", 'case_link: "https://orgo.example.org:8443/#/cases/{case_id}?from=insights"')
    assert [p for p in project.check().problems if p.level == "error"] == []
