"""What the page protects: its token, its reader, and the sites around it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from support.api.server import Api
from support.api.tokens import token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.exports.spiteful_texts import GUARDED, SPITEFUL
from support.page.browser import Tab, tab

from orchestration.api.page_files import FILES
from orchestration.dashboards.panels import Unit
from orchestration.dashboards.units import readable
from workshop.sample.scenario import MARKUP as SAMPLE_MARKUP

pytest_plugins = ["support.api.fixtures", "support.page.fixtures"]
pytestmark = pytest.mark.services

FOUND = 200
MARKUP = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
POLICY = {
    "default-src": "'none'",
    **dict.fromkeys(("script-src", "style-src", "connect-src", "img-src"), "'self'"),
    **dict.fromkeys(("base-uri", "form-action"), "'none'"),
    "require-trusted-types-for": "'script'",
}


@pytest.fixture
def page(browser: Browser, api: Api) -> Iterator[Tab]:
    with tab(browser, api) as made:
        yield made


def test_every_file_has_the_policy_and_says_what_it_is(api: Api, orgo: str) -> None:
    names = [f"page/{file.relative_to(FILES)}" for file in FILES.rglob("*") if file.suffix in (".js", ".css", ".svg")]
    assert len(names) >= 10
    for name in ("", "page/settings.json", *names):
        got = api.get(f"/{name}")
        assert got.status == 200, name
        policy = dict(part.strip().split(" ", 1) for part in got.headers["content-security-policy"].split(";"))
        assert policy == POLICY | {"frame-ancestors": orgo}, name
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["referrer-policy"] == "no-referrer"
        assert got.headers["cross-origin-resource-policy"] == "same-origin"
        again = api.get(f"/{name}", if_none_match=got.headers["etag"])
        assert (again.status, again.body) == (304, b"")
    text = api.get("/").body.decode()
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|style=|javascript:|https?:", text) == []


@pytest.mark.parametrize(
    "path",
    ["/page/", "/page/index.html", "/page/../app.py", "/page/%2e%2e/app.py", "/page/uplot/LICENSE", "/index.html"],
)
def test_no_other_file_is_served(api: Api, path: str) -> None:
    assert api.get(path).status == 404


def test_the_token_is_in_memory_only(page: Tab) -> None:
    bearer = page.log_in(HOSPITAL)
    addresses: list[str] = []
    page.page.on("request", lambda request: addresses.append(request.url + (request.post_data or "")))
    for view in ("dashboards/task_volume", "patterns"):
        page.go(view)
    kept = page.page.evaluate(
        "() => JSON.stringify([location.href, document.cookie, {...localStorage}, {...sessionStorage}, history.state,"
        " document.documentElement.outerHTML, [...document.querySelectorAll('input')].map(i => i.value)])"
    )
    stores = page.page.evaluate("async () => [(await indexedDB.databases()).length, (await caches.keys()).length]")
    assert bearer not in kept
    assert stores == [0, 0]
    assert addresses
    assert not [address for address in addresses if bearer in address]
    page.page.reload()
    page.page.get_by_label("Access token").wait_for()
    assert page.complaints == []


def test_text_of_the_database_is_text_on_the_page(page: Tab) -> None:
    organization = page.api.organization(HOSPITAL)
    for change in (
        "update insights.pattern_weekly set label = %(m)s, domain = %(m)s, location = %(m)s",
        "update insights.dim_cases set label = %(m)s",
        "update insights.dim_organizations set display_name = %(m)s",
        "update insights.report_task_volume set type = %(m)s || type",
    ):
        page.api.warehouse.execute(change.replace("%(m)s", f"'{MARKUP}'"))
    listed = page.api.get(f"/v1/organizations/{organization}/patterns", token(organization)).json["data"]["patterns"]
    page.log_in(HOSPITAL)
    assert page.page.locator("#organization").inner_text() == MARKUP
    views = [
        "patterns",
        f"patterns/{listed[0]['pattern_id']}",
        "dashboards/open_patterns",
        "dashboards/task_volume?days=91",
        f"patterns?domain={MARKUP}",
    ]
    for view in views:
        page.go(view.replace("<", "%3C").replace('"', "%22"))
        assert MARKUP in str(page.page.locator("main").text_content()), view
        assert page.page.locator("main img, main script, main [onerror]").count() == 0
        assert page.page.title().endswith("Orgo Insights")
    assert page.complaints == []


def test_markup_in_the_operational_tables_is_text_on_the_page(page: Tab) -> None:
    organization = page.api.organization(STORES)
    listed = page.api.get(f"/v1/organizations/{organization}/patterns", token(organization)).json["data"]["patterns"]
    found = [pattern["pattern_id"] for pattern in listed if SAMPLE_MARKUP in (pattern["location"] or "")]
    assert found
    page.log_in(STORES)
    for view in ("patterns", f"patterns/{found[0]}"):
        page.go(view)
        assert SAMPLE_MARKUP in str(page.page.locator("main").text_content()), view
        assert page.page.locator("main img").count() == 0
        assert page.page.title().endswith("Orgo Insights")
    assert page.complaints == []


@pytest.mark.parametrize("by", ["opener", "frame"])
def test_orgo_hands_a_token_and_is_asked_for_it(browser: Browser, api: Api, orgo: str, by: str) -> None:
    with tab(browser, api) as page:
        page.page.goto(orgo)
        bearer = token(api.organization(HOSPITAL))
        page.page.evaluate(HANDING[by], {"address": page.address, "token": bearer, "to": page.address.rstrip("/")})
        page.page.wait_for_function("window.heard?.length > 0")
        assert page.page.evaluate("window.heard") == [{"type": "orgo-insights:ready"}]
        shown = page.page.context.pages[-1] if by == "opener" else page.page.frames[-1]
        shown.get_by_role("heading", name="Overview", level=1).wait_for()


HANDING = {
    "opener": """given => {
        window.heard = [];
        window.addEventListener("message", event => {
            window.heard.push(event.data);
            event.source.postMessage({type: "orgo-insights:token", token: given.token}, given.to);
        });
        window.open(given.address);
    }""",
    "frame": """given => {
        window.heard = [];
        window.addEventListener("message", event => {
            window.heard.push(event.data);
            event.source.postMessage({type: "orgo-insights:token", token: given.token}, given.to);
        });
        const frame = document.createElement("iframe");
        frame.src = given.address;
        document.body.append(frame);
    }""",
}


def test_a_stranger_cannot_log_anybody_in_nor_frame_the_page(browser: Browser, api: Api, stranger: str) -> None:
    with tab(browser, api) as page:
        page.page.goto(stranger)
        bearer = token(api.organization(HOSPITAL))
        with page.page.expect_popup() as opened:
            page.page.evaluate(
                "address => { window.heard = []; onmessage = e => heard.push(e.data); window.own = open(address) }",
                page.address,
            )
        popup = opened.value
        popup.get_by_label("Access token").wait_for()
        asked: list[str] = []
        popup.on("request", lambda request: asked.append(request.url))
        popup.evaluate("window.come = []; addEventListener('message', event => come.push(event.data.type))")
        page.page.evaluate("token => own.postMessage({type: 'orgo-insights:token', token}, '*')", bearer)
        popup.wait_for_function("window.come.length === 1")  # after the page's own listener, which asks at once
        assert popup.evaluate("async () => (await fetch('page/settings.json')).status") == FOUND
        assert [url.rpartition("/")[2] for url in asked] == ["settings.json"]
        assert popup.get_by_label("Access token").is_visible()
        assert page.page.evaluate("heard") == []
        page.page.evaluate(
            """address => new Promise(done => {
                const frame = document.createElement("iframe");
                frame.onload = done;
                frame.src = address;
                document.body.append(frame);
            })""",
            page.address,
        )
        assert "Access token" not in page.page.frames[-1].content()
        assert any("frame-ancestors" in complaint for complaint in page.complaints)


def test_an_injected_script_or_style_does_not_run(page: Tab) -> None:
    page.open()
    page.page.evaluate(
        """() => {
            const script = document.createElement("script");
            try { script.textContent = "document.title = 'run'"; } catch { return; }
            document.head.append(script);
        }"""
    )
    raised = page.page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return '' } catch (e) { return e.name } }"
    )
    assert raised == "TypeError"
    assert page.page.title() != "run"
    assert any(
        "policy" in complaint or "TrustedScript" in complaint or "Security Policy" in complaint
        for complaint in page.complaints
    )


def test_a_cell_of_the_csv_is_no_formula(page: Tab) -> None:
    page.open()
    values = [*SPITEFUL, -12.5, None, True]
    made = page.page.evaluate(
        "async rows => (await import('/page/csv.js')).csv(['a', 'b'], rows)", [[v, 0] for v in values]
    )
    read = [row["a"] for row in csv.DictReader(io.StringIO(made, newline=""))]
    assert read == [*(GUARDED.get(text, text) for text in SPITEFUL), "-12.5", "", "true"]


def test_the_page_writes_values_like_the_command_line(page: Tab) -> None:
    page.open()
    cases: list[tuple[Unit, float]] = [("share", v) for v in (0, 0.0625, 0.1385, 0.6866, 1)] + [
        ("percent", v) for v in (0.08, 68.66, 100)
    ]
    cases += [("seconds", v) for v in (0, 59, 60, 3_599, 3_605, 7_500, 86_400 * 1_200 + 3_600 * 23, -90.5)]
    made = page.page.evaluate(
        "async cases => { const f = await import('/page/format.js'); return cases.map(([u, v]) => f.readable(u, v)) }",
        cases,
    )
    assert made == [readable(unit, value) for unit, value in cases]
    others = [
        ("count", 12_345),
        ("day", "2025-12-31"),
        ("month", "2025-11-01"),
        ("token", "IN_PROGRESS"),
        ("flag", False),
    ]
    others += [("place", '{"floor": "3"}'), ("place", "Hall"), ("text", "it_support"), ("text", None)]
    made = page.page.evaluate(
        "async cases => { const f = await import('/page/format.js'); return cases.map(([u, v]) => f.readable(u, v)) }",
        others,
    )
    assert made == ["12,345", "31 Dec 2025", "Nov 2025", "In progress", "no", "floor 3", "Hall", "it_support", "\u2013"]


def test_the_settings_tell_nothing_but_addresses(api: Api, orgo: str) -> None:
    assert json.loads(api.get("/page/settings.json").body) == {
        "needs_token": True,
        "token_origins": [orgo],
        "links": {
            "case_id": "https://orgo.example.org/cases/{case_id}",
            "task_id": "https://orgo.example.org/tasks/{task_id}?from=insights",
        },
    }
