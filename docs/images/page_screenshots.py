"""Take the screenshots of the page in docs/images.

Run `./dev demo`, then `./dev api` in another terminal, then `python docs/images/page_screenshots.py`. The script needs
the development tools (`./dev setup --dev`) and Chromium.
"""

from __future__ import annotations

import sys

from playwright.sync_api import Page, ViewportSize, sync_playwright

from orchestration.config.files import PROJECT, load_settings
from orchestration.errors import InsightsError, NotFoundError
from workshop.api_demo import api_variables, example_tokens, page_address
from workshop.demo_variables import SAMPLE_DATABASE
from workshop.services import state_root
from workshop.services.chromium import chromium_program

IMAGES = PROJECT / "docs/images"
ORGANIZATION = "sample-hospital"
SIZE, NARROW = ViewportSize(width=1180, height=780), ViewportSize(width=390, height=780)
PATTERNS = "patterns?kind=incident_frequency"


def main() -> None:
    """Log in as a user of one organization of the sample, and take a picture of three views."""
    settings = load_settings()
    variables = api_variables(settings, state_root(PROJECT), SAMPLE_DATABASE)
    tokens = {slug: token for slug, _, token in example_tokens(settings, variables)}
    if ORGANIZATION not in tokens:
        raise NotFoundError(f"The demo has no organization {ORGANIZATION}. Run: ./dev demo")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium_program()), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light", locale="en-GB")
        page.goto(page_address(settings))
        page.get_by_label("Access token").fill(tokens[ORGANIZATION])
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", level=1, name="Overview").wait_for()
        save(page, "dashboards/task_volume?days=60", "Task volume", "page-task-volume.png")
        show(page, PATTERNS, "Patterns")
        page.get_by_role("table").get_by_role("link").first.click()
        page.get_by_role("heading", name="Why it was found").wait_for()
        page.screenshot(path=IMAGES / "page-pattern.png")
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size(NARROW)
        save(page, "dashboards/monthly_trends", "Monthly trends", "page-phone.png")
        browser.close()


def save(page: Page, view: str, title: str, name: str) -> None:
    """Write a picture of a view."""
    show(page, view, title)
    page.locator(".chart canvas").first.wait_for()
    page.screenshot(path=IMAGES / name)
    sys.stdout.write(f"{name}  {(IMAGES / name).stat().st_size:,} bytes\n")


def show(page: Page, view: str, title: str) -> None:
    """Go to a view and wait until it is shown."""
    page.evaluate("view => { location.hash = '#/' + view }", view)
    page.get_by_role("heading", level=1, name=title, exact=True).wait_for()


if __name__ == "__main__":
    try:
        main()
    except InsightsError as error:
        sys.exit(f"error: {error}")
