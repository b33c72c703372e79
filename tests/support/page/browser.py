"""A real browser on the page: Debian's Chromium, driven by Playwright, in which every complaint is noted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright
from support.api.server import Api
from support.api.tokens import token

from workshop.services.chromium import chromium_program

WIDE, NARROW = (1280, 900), (390, 844)
# A busy machine is no fault.
PATIENCE_MS = 60_000
# Chromium with a window loads two pages of its address bar in a process for each tab, and keeps an empty process for a
# next page: more than half of its processor time here. The last list of features counts, so those of Playwright's that
# matter to our page are repeated.
NOT_LOOKED_AT = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "SpareRendererForSitePerProcess")
OF_PLAYWRIGHT = ("HttpsUpgrades", "PaintHolding", "AvoidCorsURLLoaderRestartOnRedirect", "PreconnectToSearch")
ARGUMENTS = ("--no-sandbox", f"--disable-features={','.join([*NOT_LOOKED_AT, *OF_PLAYWRIGHT])}")


@dataclass
class Tab:
    """One tab, with what the browser complained about: errors of scripts, of the console, and of the policy."""

    page: Page
    api: Api
    complaints: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.api.port}/"

    def open(self, view: str = "") -> None:
        """Open the page at a view, the part of the address after the number sign, and wait for the login."""
        self.page.goto(f"{self.address}{view and '#/'}{view}")
        self.page.get_by_label("Access token").wait_for()

    def log_in(self, slug: str, view: str = "", **claims: Any) -> str:
        """Log in as a user of an organization at a view, wait until it is shown, and return the token."""
        pasted = token(self.api.organization(slug), **claims)
        self.open(view)
        self.page.get_by_label("Access token").fill(pasted)
        self.page.get_by_role("button", name="Log in").click()
        self.shown()
        return pasted

    def go(self, view: str) -> None:
        """Go to another view and wait until it is shown."""
        before = self.page.evaluate("document.querySelector('.view')?.setAttribute('data-old', '')")
        assert before is None
        self.page.evaluate("view => { location.hash = '#/' + view }", view)
        self.page.locator(".view:not([data-old])").wait_for()

    def shown(self) -> None:
        """Wait until a view is shown."""
        self.page.locator(".view").wait_for()

    @property
    def text(self) -> str:
        """What can be read on the page."""
        return self.page.locator("body").inner_text()


@contextmanager
def browser_of(playwright: Playwright) -> Iterator[Browser]:
    """Yield a running Chromium."""
    made = playwright.chromium.launch(executable_path=str(chromium_program()), args=ARGUMENTS)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def playing() -> Iterator[Browser]:
    """Yield a running Chromium with the library that drives it."""
    with sync_playwright() as playwright, browser_of(playwright) as browser:
        yield browser


@contextmanager
def tab(browser: Browser, api: Api, size: tuple[int, int] = WIDE, **context: Any) -> Iterator[Tab]:
    """Yield a tab of a fresh profile; `context` are Playwright's options, such as `color_scheme`."""
    own = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="en-GB", **context)
    own.set_default_timeout(PATIENCE_MS)
    page = own.new_page()
    made = Tab(page, api)
    page.on("pageerror", lambda error: made.complaints.append(f"script: {error}"))
    page.on("console", lambda message: _note(made, message))
    page.add_init_script(
        "window.addEventListener('securitypolicyviolation', e => console.error('policy', e.violatedDirective))"
    )
    try:
        yield made
    finally:
        own.close()


def _note(made: Tab, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        made.complaints.append(f"console: {message.text}")
