"""What the page says when there is no answer, an old one, or an empty one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser
from support.api.server import Api, running
from support.api.tokens import SECRET, token
from support.dashboards.dashboard_scenario import HOSPITAL
from support.page.browser import Tab, tab
from support.warehouse import Warehouse

from workshop.services import LocalRedis

pytest_plugins = ["support.api.fixtures", "support.page.fixtures"]
pytestmark = pytest.mark.services

AGAIN = "Try again"
EXPIRED = 401


@pytest.fixture
def page(browser: Browser, api: Api) -> Iterator[Tab]:
    with tab(browser, api) as made:
        yield made


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)


def message(page: Tab) -> str:
    """Wait for a message about a problem and return it."""
    found = page.page.get_by_role("alert")
    found.wait_for()
    return found.inner_text()


def without_failed_requests(page: Tab) -> list[str]:
    """Return the complaints without those about the status of an answer, which the browser notes too."""
    return [complaint for complaint in page.complaints if "Failed to load resource" not in complaint]


def test_a_wrong_token_is_refused_in_words(page: Tab) -> None:
    page.open()
    page.page.get_by_label("Access token").fill("no.token.at-all")
    page.page.get_by_role("button", name="Log in").click()
    assert message(page) == "Your access token is not valid, or no longer. Log in with a new one."
    assert page.page.get_by_label("Access token").input_value() == ""


def test_an_expired_token_leads_to_the_login_and_back_to_the_view(page: Tab) -> None:
    skew = page.api.service.settings.insights.reports_api.clock_skew_seconds
    bearer = page.log_in(HOSPITAL, "dashboards/task_volume", exp=int(time.time()) - skew + 4)
    while page.api.get("/v1/caller", bearer).status != EXPIRED:
        time.sleep(0.1)
    page.page.get_by_role("button", name="Reload").click()
    assert "no longer" in message(page)
    assert "tasks" not in page.page.locator("main").inner_text()
    page.page.get_by_label("Access token").fill(token(page.api.organization(HOSPITAL)))
    page.page.get_by_role("button", name="Log in").click()
    page.page.get_by_role("heading", name="Task volume", level=1).wait_for()


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (
            "dashboards/overview?visibility=RESTRICTED",
            "Your roles do not allow this. The roles may see PUBLIC, INTERNAL only.",
        ),
        ("patterns?visibility=RESTRICTED", "Your roles do not allow this."),
        ("dashboards/task_volume?days=0", "it must be a whole number from 1 to 366"),
        ("dashboards/task_volume?nothing=1", "has no parameter 'nothing'"),
        ("patterns?kind=none", "Some filters are wrong."),
        ("patterns/11111111-1111-4111-8111-111111111111", "There is nothing here that you may see."),
    ],
)
def test_a_view_that_is_refused_says_why(page: Tab, view: str, says: str) -> None:
    page.log_in(HOSPITAL, view)
    assert says in message(page)
    assert without_failed_requests(page) == []


def test_a_wrong_filter_is_said_beside_it(page: Tab) -> None:
    page.log_in(HOSPITAL, "dashboards/task_volume?days=0")
    field = page.page.locator(".field", has=page.page.get_by_label("Days"))
    assert "whole number from 1 to 366" in field.inner_text()


def test_a_view_without_data_says_so(page: Tab) -> None:
    page.log_in(HOSPITAL, "dashboards/task_counts?domain=no%20such%20domain")
    assert "There is no data for these filters." in page.text
    page.go("patterns?domain=no%20such%20domain")
    assert "No review has found a pattern for these filters." in page.text
    assert page.complaints == []


def test_a_panel_that_is_not_built_says_so(page: Tab) -> None:
    page.api.warehouse.execute("alter table insights.pattern_yearly rename to away")
    try:
        page.log_in(HOSPITAL, "dashboards/open_patterns?kinds=needs_attention")
        assert "This has not been built yet." in page.text
    finally:
        page.api.warehouse.execute("alter table insights.away rename to pattern_yearly")


def test_a_role_without_rights_is_told(page: Tab) -> None:
    page.log_in(HOSPITAL, roles=[])
    assert "Not allowed" in message(page)


@pytest.mark.usefixtures("secret")
def test_too_many_requests_are_said_with_the_time_to_wait(browser: Browser, sample: Warehouse) -> None:
    with running(sample, reports_api__requests_per_minute=3) as few, tab(browser, few) as page:
        page.log_in(HOSPITAL)
        for days in range(5, 11):  # one of them is refused, even if a minute begins between two and the count with it
            page.go(f"dashboards/task_volume?days={days}")
            if page.page.get_by_role("alert").is_visible():
                break
        assert "You have asked too often." in message(page)
        assert "The service asks to wait" in message(page)
        assert page.page.get_by_role("button", name=AGAIN).is_visible()


@pytest.mark.usefixtures("secret")
def test_a_dead_warehouse_shows_old_figures_as_old_and_says_where_there_are_none(
    browser: Browser, sample: Warehouse, redis_of_module: LocalRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_CACHE_KEY", secrets.token_hex(32))
    short: dict[str, Any] = {
        f"cache__ttl_seconds__dashboard_slow__{name}": 1 for name in ("dev", "staging", "prod", "offline")
    }
    with running(sample, redis_of_module, **short) as alive:
        assert alive.ask(HOSPITAL, "overview").status == 200
    dead = "postgresql://nobody@127.0.0.1:1/nothing"
    time.sleep(1.1)
    with running(sample, redis_of_module, url=dead, **short) as api, tab(browser, api) as page:
        page.log_in(HOSPITAL)
        stale = page.page.locator(".freshness.stale")
        assert "These figures are stale" in stale.inner_text()
        page.go("dashboards/task_volume?days=13")
        assert "The service cannot answer now. Try again in a moment." in message(page)


def test_the_anonymised_form_is_offered_to_its_roles_only(page: Tab) -> None:
    page.log_in(HOSPITAL, "dashboards/open_patterns")
    assert page.page.locator("input[name=anonymised]").count() == 0
    page.page.get_by_role("button", name="Log out").click()
    page.log_in(HOSPITAL, "dashboards/open_patterns", roles=["analyst"])
    page.page.get_by_text("Filters").click()
    page.page.get_by_label("Anonymised").check()
    page.page.get_by_role("button", name="Apply").click()
    page.page.get_by_text("Filters: anonymised true").wait_for()
    assert "Visibility: Public, Internal, Restricted, Anonymised." in page.text
    assert page.page.get_by_role("columnheader", name="Pattern", exact=True).count() == 0
    assert page.complaints == []


def test_behind_a_gateway_nobody_logs_in(browser: Browser, sample: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = secrets.token_hex(32)
    monkeypatch.setenv("INSIGHTS_PROXY_SECRET", proof)
    with running(sample, trusts_gateway=True) as api:
        sent = {"X-Insights-Proxy-Secret": proof, "X-Insights-User": "7", "X-Insights-Roles": "teacher"}
        sent["X-Insights-Organization"] = api.organization(HOSPITAL)
        with tab(browser, api, extra_http_headers=sent) as page:
            page.page.goto(page.address)
            page.page.get_by_role("heading", name="Overview", level=1).wait_for()
            assert not page.page.get_by_role("button", name="Log out").is_visible()
            assert page.complaints == []


@pytest.mark.usefixtures("secret")
def test_a_service_that_is_gone_is_said_and_asked_again(browser: Browser, sample: Warehouse) -> None:
    with running(sample) as api, tab(browser, api) as page:
        page.log_in(HOSPITAL)
        page.page.context.set_offline(True)
        page.go("dashboards/task_volume")
        assert "The service cannot be reached." in message(page)
        page.page.context.set_offline(False)
        page.page.get_by_role("button", name=AGAIN).click()
        page.page.get_by_role("heading", name="By day").wait_for()
