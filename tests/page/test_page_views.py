"""Each view of the page in a real browser: at two widths, in light and dark, by keyboard and on paper."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from support.api.server import Api
from support.api.tokens import token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.page.browser import NARROW, WIDE, Tab, tab

pytest_plugins = ["support.api.fixtures", "support.page.fixtures"]
pytestmark = pytest.mark.services

SERIOUS = ("serious", "critical")
AUDITED = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


def ask(api: Api, path: str) -> Any:
    id_ = api.organization(HOSPITAL)
    return api.get(f"/v1/organizations/{id_}/{path}", token(id_)).json


def serious(tab: Tab) -> list[str]:
    """Return what axe finds that hinders people, each with an element."""
    violations = Axe().run(tab.page, options=AUDITED).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html']}" for v in violations if v["impact"] in SERIOUS]


def drawn_charts(tab: Tab) -> int:
    """Return how many charts have something on their canvas."""
    drawn: int = tab.page.evaluate(
        """() => [...document.querySelectorAll('.chart canvas')].filter(canvas => {
            const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            return pixels.some(value => value > 0);
        }).length"""
    )
    return drawn


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_every_view_shows_its_panels_and_hinders_nobody(
    browser: Browser, api: Api, size: tuple[int, int], scheme: str
) -> None:
    listed = ask(api, "dashboards")["dashboards"]
    pattern = ask(api, "patterns")["data"]["patterns"][0]
    with tab(browser, api, size, color_scheme=scheme) as page:
        page.open()
        assert serious(page) == []
        page.log_in(HOSPITAL)
        for dashboard in listed:
            page.go(f"dashboards/{dashboard['name']}")
            assert page.page.title() == f"{dashboard['title']} · Orgo Insights"
            assert dashboard["description"] in page.text
            assert "Everything before 1 Jan 2026 (UTC) is counted." in page.text
            answer = ask(api, f"dashboards/{dashboard['name']}")["data"]
            charted = [n for n, panel in dashboard["panels"].items() if panel["chart"] and answer[n]["rows"]]
            page.page.wait_for_function(
                "n => document.querySelectorAll('.chart canvas').length === n", arg=len(charted)
            )
            assert drawn_charts(page) == len(charted), dashboard["name"]
            for panel in dashboard["panels"].values():
                assert panel["description"] in page.text
            assert page.page.locator("table").count() == sum(bool(content["rows"]) for content in answer.values())
            check(page, dashboard["name"])
        for view in ("patterns", f"patterns/{pattern['pattern_id']}", "nowhere"):
            page.go(view)
            check(page, view)


def test_axe_and_the_browser_find_what_is_wrong(browser: Browser, api: Api) -> None:
    with tab(browser, api) as page:
        page.open()
        page.page.evaluate("document.querySelector('label').remove(); document.documentElement.removeAttribute('lang')")
        assert {found.partition(":")[0] for found in serious(page)} >= {"html-has-lang", "label"}
        page.page.evaluate("console.error('wrong')")
        page.page.evaluate(
            """() => new Promise(done => {
                addEventListener("securitypolicyviolation", done);
                const image = document.createElement("img");
                image.src = "https://example.org/";
                document.body.append(image);
            })"""
        )
        assert "console: wrong" in page.complaints
        assert "console: policy img-src" in page.complaints


def check(page: Tab, view: str) -> None:
    """Check that nothing hinders people, nothing is wider than the window, and the browser has not complained."""
    assert serious(page) == [], view
    assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, view
    assert page.complaints == [], view


def test_the_figures_are_those_of_the_service_as_people_read_them(browser: Browser, api: Api) -> None:
    rows = ask(api, "dashboards/sla_breaches?days=90")["data"]["by_domain"]["rows"]
    with tab(browser, api) as page:
        page.log_in(HOSPITAL, "dashboards/sla_breaches?days=90")
        page.page.get_by_text("Table (").first.click()
        table = page.page.get_by_role("table", name="By domain")
        shown = [line.split("\t") for line in table.inner_text().splitlines()[1:]]  # without the caption
    assert shown[0][:3] == ["Domain", "Profile", "Tasks"]
    assert len(shown) == len(rows) + 1 > 2
    for line, row in zip(shown[1:], rows, strict=True):
        assert (line[0], line[2]) == (row["domain"], f"{row['tasks']:,}")
        # The service rounds a share to 4 places, the page to one of a percentage.
        counted = 100 * row["reactivity_breaches"] / row["reactivity_decided"]
        assert line[5].endswith("%")
        assert abs(float(line[5][:-1]) - counted) <= 0.055 + 1e-9, line


def test_a_view_is_shared_by_its_address_and_filters_change_it(browser: Browser, api: Api) -> None:
    with tab(browser, api) as page:
        page.log_in(HOSPITAL, "dashboards/task_volume?days=7&severities=MAJOR%2CCRITICAL")
        page.page.get_by_text("Filters: days 7; severities MAJOR,CRITICAL").click()
        assert page.page.get_by_label("Days").input_value() == "7"
        checked = {
            name: page.page.get_by_label(name, exact=True).is_checked() for name in ("Minor", "Major", "Critical")
        }
        assert checked == {"Minor": False, "Major": True, "Critical": True}
        page.page.get_by_label("Days").fill("90")
        page.page.get_by_label("Minor", exact=True).check()
        page.page.get_by_role("button", name="Apply").click()
        page.page.get_by_text("Filters: days 90; severities MINOR,MAJOR,CRITICAL").wait_for()
        assert page.page.url.endswith("#/dashboards/task_volume?days=90&severities=MINOR%2CMAJOR%2CCRITICAL")
        page.page.get_by_text("Filters: days 90").click()
        page.page.get_by_role("button", name="Reset").click()
        page.page.get_by_text("Filters: days").wait_for(state="detached")
        assert page.page.url.endswith("#/dashboards/task_volume")
        page.page.go_back()
        page.page.get_by_text("Filters: days 90").wait_for()


def test_a_bar_leads_to_what_is_behind_it_and_from_there_into_orgo(browser: Browser, api: Api) -> None:
    rows = ask(api, "dashboards/missed_deadlines?days=90")["data"]["by_domain"]["rows"]
    domain, missed = rows[0]["domain"], rows[0]["missed"]
    tasks = ask(api, f"dashboards/missed_tasks?days=90&domain={domain}")["data"]["tasks"]["rows"]
    assert len(tasks) == min(missed, 1000) > 0
    with tab(browser, api) as page:
        page.log_in(HOSPITAL, "dashboards/missed_deadlines?days=90")
        page.page.locator(".u-over").click(position={"x": 8, "y": 12})
        page.page.get_by_role("heading", name="Tasks that missed their deadline", level=1).wait_for()
        assert page.page.url.endswith(f"#/dashboards/missed_tasks?days=90&domain={domain}")
        link = page.page.get_by_role("table").get_by_role("link").first
        assert link.get_attribute("href") == f"https://orgo.example.org/tasks/{tasks[0]['task_id']}?from=insights"
        page.go("dashboards/missed_deadlines?days=90")
        page.page.get_by_text("Table (").click()
        page.page.get_by_role("link", name="Show").first.click()
        page.page.get_by_role("heading", name="Tasks that missed their deadline", level=1).wait_for()


def test_a_pattern_is_found_by_filters_and_explained_with_its_cases(browser: Browser, api: Api) -> None:
    query = "patterns?kind=incident_frequency&cadence=weekly"
    patterns = ask(api, query)["data"]["patterns"]
    explained = ask(api, f"patterns/{patterns[0]['pattern_id']}?review_date={patterns[0]['review_date']}")["data"]
    with tab(browser, api) as page:
        page.log_in(HOSPITAL, query)
        table = page.page.get_by_role("table", name="Patterns")
        assert table.get_by_role("row").count() == len(patterns) + 1 > 1
        table.get_by_role("link").first.click()
        page.page.get_by_role("heading", name="Why it was found").wait_for()
        cases = page.page.get_by_role("table", name="Cases")
        links = [link.get_attribute("href") for link in cases.get_by_role("link").all()]
        assert links == [f"https://orgo.example.org/cases/{case['case_id']}" for case in explained["cases"]]
        assert len(links) == patterns[0]["cases"] - explained["cases_withheld"] > 0
        for part in explained["explanation"]:
            assert part["heading"] == "Case" or part["text"] in page.text


def test_the_list_of_patterns_has_pages(browser: Browser, api: Api) -> None:
    first = ask(api, "patterns?limit=2")["data"]
    with tab(browser, api) as page:
        page.log_in(HOSPITAL, "patterns?limit=2")
        page.page.get_by_role("link", name="Next page").click()
        page.page.get_by_role("link", name="First page").wait_for()
        second = ask(api, f"patterns?limit=2&cursor={first['next_cursor']}")["data"]["patterns"]
        links = page.page.get_by_role("table").get_by_role("link").all()
        assert [link.get_attribute("href") for link in links] == [
            f"#/patterns/{p['pattern_id']}?review_date={p['review_date']}" for p in second
        ]
        page.page.get_by_role("link", name="First page").click()
        page.page.get_by_role("link", name="First page").wait_for(state="detached")


def test_the_page_is_used_without_a_mouse(browser: Browser, api: Api) -> None:
    with tab(browser, api) as page:
        page.open()
        keyboard = page.page.keyboard
        walk(page, "Access token")
        keyboard.type(token(api.organization(HOSPITAL)))
        keyboard.press("Enter")
        page.shown()
        assert focused(page) == "Overview"
        page.page.evaluate("document.activeElement.blur()")
        walk(page, "Task volume")
        keyboard.press("Enter")
        page.page.get_by_role("heading", name="Task volume", level=1).wait_for()
        assert focused(page) == "Task volume"
        walk(page, "Filters")
        keyboard.press("Enter")
        walk(page, "Days")
        keyboard.type("90")
        keyboard.press("Enter")
        page.page.get_by_text("Filters: days 90").wait_for()
        walk(page, "Table (")
        assert not page.page.get_by_role("table", name="By day").is_visible()
        keyboard.press("Enter")
        page.page.get_by_role("table", name="By day").wait_for()
        walk(page, "Save as CSV")
        with page.page.expect_download() as saved:
            keyboard.press("Enter")
        assert saved.value.suggested_filename == "task_volume-by_day-2026-01-01.csv"
        lines = saved.value.path().read_text("utf-8-sig").splitlines()
        rows = ask(api, "dashboards/task_volume?days=90")["data"]["by_day"]["rows"]
        assert lines == ["day,status,tasks", *(f"{r['day']},{r['status']},{r['tasks']}" for r in rows)]
        page.page.evaluate("document.activeElement.blur()")
        walk(page, "Log out")
        keyboard.press("Enter")
        page.page.get_by_role("heading", name="Log in").wait_for()
        assert page.complaints == []


def focused(page: Tab) -> str:
    """Return the name of the element that has the focus."""
    name: str = page.page.evaluate(
        "(e => (e.labels?.[0] ?? e).textContent.trim() || e.getAttribute('aria-label') || '')(document.activeElement)"
    )
    return name


def walk(page: Tab, name: str) -> None:
    """Press Tab until the element with a name has the focus, which must be visible then."""
    for _ in range(60):
        page.page.keyboard.press("Tab")
        if focused(page).startswith(name):
            outline = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", name
            return
    raise AssertionError(f"{name} is not reached by Tab")


def test_paper_has_the_figures_and_no_controls(browser: Browser, api: Api) -> None:
    with tab(browser, api, color_scheme="dark") as page:
        page.log_in(HOSPITAL, "dashboards/task_volume?days=90")
        page.page.emulate_media(media="print")
        for hidden in ("#views", ".filters form", "#leave", ".rows button"):
            assert not page.page.locator(hidden).first.is_visible(), hidden
        for there in ("h1", ".filters summary", ".freshness", ".chart canvas", "table >> nth=0"):
            assert page.page.locator(there).first.is_visible(), there
        background = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == "rgb(255, 255, 255)"
        assert "Filters: days 90" in page.text
        assert page.page.pdf().startswith(b"%PDF-")


def test_who_may_see_every_organization_chooses_one_and_shares_the_view(browser: Browser, api: Api) -> None:
    names = dict(api.warehouse.rows("select slug, display_name from insights.dim_organizations"))
    with tab(browser, api) as page:
        page.log_in(HOSPITAL, "dashboards/task_volume", roles=["operator"])
        chooser = page.page.get_by_label("Organization")
        assert sorted(chooser.locator("option").all_inner_texts()) == sorted(names.values())
        assert chooser.locator("option:checked").inner_text() == names[HOSPITAL]
        page.page.evaluate("document.querySelector('.view').setAttribute('data-old', '')")
        with page.page.expect_response(f"**/{api.organization(STORES)}/dashboards/task_volume*"):
            chooser.select_option(names[STORES])
        page.page.locator(".view:not([data-old])").wait_for()
        assert chooser.locator("option:checked").inner_text() == names[STORES]
        shared = page.page.url
        page.page.get_by_role("link", name="Patterns", exact=True).click()
        page.page.get_by_role("heading", name="Patterns", level=1, exact=True).wait_for()
        assert api.organization(STORES) in page.page.url
        assert page.complaints == []
    with tab(browser, api) as page:
        page.log_in(HOSPITAL, shared.partition("#/")[2])
        assert "There is nothing here that you may see." in page.text
        assert page.page.locator("#organization").inner_text() == names[HOSPITAL]


def test_the_name_of_the_organization_is_shown_and_another_token_changes_it(browser: Browser, api: Api) -> None:
    with tab(browser, api) as page:
        names = []
        for slug in (HOSPITAL, STORES):
            page.log_in(slug)
            names.append(page.page.locator("#organization").inner_text())
            page.page.get_by_role("button", name="Log out").click()
        expected = [
            api.warehouse.value("select display_name from insights.dim_organizations where slug = %s", slug)
            for slug in (HOSPITAL, STORES)
        ]
        assert names == expected
        assert all(re.fullmatch(r"\S.*", name) for name in names)
